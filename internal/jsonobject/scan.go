package jsonobject

// Member is one member of a JSON object: what stands between the quotes of its name, and its value as it is
// written, both parts of the text that was read.
type Member struct{ Name, Value []byte }

// deepest is how deep values may be nested for the quick reading.
const deepest = 64

// Members appends the members of data to members, where data is one JSON object whose names are of plain
// characters; false if it is something else, or no JSON at all, which encoding/json tells.
func Members(data []byte, members []Member) ([]Member, bool) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return nil, false
	}
	i, ok := skipMembers(data, i+1, deepest, &members)
	return members, ok && skipSpace(data, i) == len(data)
}

// skipMembers skips an object after its brace. Like the others it returns where what begins at i ends, and
// false where it is no JSON, or nested too deep. It collects the members in collect, if that is not nil, and
// then refuses names that are not of plain characters.
func skipMembers(data []byte, i, depth int, collect *[]Member) (int, bool) {
	i = skipSpace(data, i)
	if i < len(data) && data[i] == '}' {
		return i + 1, true
	}
	for {
		begin := skipSpace(data, i)
		end, plain, ok := skipString(data, begin)
		if !ok || collect != nil && !plain {
			return 0, false
		}
		i = skipSpace(data, end)
		if i == len(data) || data[i] != ':' {
			return 0, false
		}
		value := skipSpace(data, i+1)
		if i, ok = skipValue(data, value, depth-1); !ok {
			return 0, false
		}
		if collect != nil {
			*collect = append(*collect, Member{data[begin+1 : end-1], data[value:i]})
		}
		i = skipSpace(data, i)
		switch {
		case i == len(data):
			return 0, false
		case data[i] == '}':
			return i + 1, true
		case data[i] != ',':
			return 0, false
		}
		i++
	}
}

// skipElements skips an array after its bracket.
func skipElements(data []byte, i, depth int) (int, bool) {
	i = skipSpace(data, i)
	if i < len(data) && data[i] == ']' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = skipValue(data, skipSpace(data, i), depth-1); !ok {
			return 0, false
		}
		i = skipSpace(data, i)
		switch {
		case i == len(data):
			return 0, false
		case data[i] == ']':
			return i + 1, true
		case data[i] != ',':
			return 0, false
		}
		i++
	}
}

func skipValue(data []byte, i, depth int) (int, bool) {
	if i >= len(data) || depth == 0 {
		return 0, false
	}
	switch data[i] {
	case '{':
		return skipMembers(data, i+1, depth, nil)
	case '[':
		return skipElements(data, i+1, depth)
	case '"':
		end, _, ok := skipString(data, i)
		return end, ok
	case 't':
		return skipWord(data, i, "true")
	case 'f':
		return skipWord(data, i, "false")
	case 'n':
		return skipWord(data, i, "null")
	}
	return skipNumber(data, i)
}

func skipWord(data []byte, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(data) && string(data[i:end]) == word
}

// skipString skips a string. It is plain if it has neither an escape nor a byte beyond ASCII.
func skipString(data []byte, i int) (end int, plain, ok bool) {
	if i >= len(data) || data[i] != '"' {
		return 0, false, false
	}
	plain = true
	for i++; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1, plain, true
		case c < ' ':
			return 0, false, false
		case c >= 0x80:
			plain = false
		case c == '\\':
			plain = false
			i++
			if i == len(data) {
				return 0, false, false
			}
			switch data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if i+4 >= len(data) || !allHex(data[i+1:i+5]) {
					return 0, false, false
				}
				i += 4
			default:
				return 0, false, false
			}
		}
	}
	return 0, false, false
}

func allHex(digits []byte) bool {
	for _, c := range digits {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func skipNumber(data []byte, i int) (int, bool) {
	if i < len(data) && data[i] == '-' {
		i++
	}
	whole := skipDigits(data, i)
	if whole == i || data[i] == '0' && whole > i+1 {
		return 0, false
	}
	i = whole
	if i < len(data) && data[i] == '.' {
		if whole = skipDigits(data, i+1); whole == i+1 {
			return 0, false
		}
		i = whole
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		if whole = skipDigits(data, i); whole == i {
			return 0, false
		}
		i = whole
	}
	return i, true
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}
