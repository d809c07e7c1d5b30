package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is rows under a head, or without one names with their values. Its last column is wrapped where the
// terminal ends.
type table struct {
	head []string
	rows [][]cell
}

// cell is a text in a style.
type cell struct {
	text  string
	style style
}

// row adds a row of texts, cells, or whatever prints.
func (t *table) row(values ...any) {
	row := make([]cell, len(values))
	for i, value := range values {
		switch v := value.(type) {
		case cell:
			row[i] = v
		case string:
			row[i] = cell{text: v}
		default:
			row[i] = cell{text: fmt.Sprint(v)}
		}
	}
	t.rows = append(t.rows, row)
}

const (
	gap = 2 // columns between two of a table
	// narrowest is the last column that is worth wrapping to.
	narrowest = 24
)

// table writes t, indented by so many columns. A table without rows is not written.
func (p *printer) table(indent int, t *table) {
	if len(t.rows) == 0 {
		return
	}
	rows := t.rows
	if len(t.head) > 0 {
		head := make([]cell, len(t.head))
		for i, text := range t.head {
			head[i] = cell{text, bold}
		}
		rows = append([][]cell{head}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i].text = p.clean(row[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	last := len(widths) - 1
	before := indent + gap*last
	for _, width := range widths[:last] {
		before += width
	}
	limit := 0
	if p.width > 0 && p.width-before >= narrowest {
		limit = p.width - before
	}
	for _, row := range rows {
		p.row(indent, before, limit, widths, row)
	}
}

// row writes a row whose last cell begins at column before, and is limit columns wide, 0 for any.
func (p *printer) row(indent, before, limit int, widths []int, row []cell) {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", indent))
	space := 0 // owed before the next text, so that no line ends with some
	for i, c := range row {
		lines := []string{c.text}
		if i == len(widths)-1 {
			lines = wrap(c.text, limit)
		}
		for j, line := range lines {
			if j > 0 {
				b.WriteString("\n")
				space = before
			}
			if line != "" {
				b.WriteString(strings.Repeat(" ", space) + p.paint(c.style, line))
				space = 0
			}
		}
		space += widths[i] - utf8.RuneCountInString(c.text) + gap
	}
	p.write(b.String() + "\n")
}

// text writes a paragraph, indented and wrapped.
func (p *printer) text(indent int, format string, args ...any) {
	limit := 0
	if p.width > indent+narrowest {
		limit = p.width - indent
	}
	for _, line := range wrap(p.clean(fmt.Sprintf(format, args...)), limit) {
		p.write(strings.Repeat(" ", indent) + line + "\n")
	}
}

// wrap breaks text at spaces into lines of at most limit columns, or within a word that is longer; 0 is any.
func wrap(text string, limit int) (lines []string) {
	for limit > 0 && utf8.RuneCountInString(text) > limit {
		runes := []rune(text)
		at := limit
		for at > 0 && runes[at] != ' ' {
			at--
		}
		if at == 0 {
			lines, text = append(lines, string(runes[:limit])), string(runes[limit:])
			continue
		}
		lines, text = append(lines, string(runes[:at])), string(runes[at+1:])
	}
	return append(lines, text)
}
