package filestore

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io"
	"math/bits"
	"os"
)

// checkPages goes through the pages of a bbolt file without bbolt, which believes what they say: it follows
// links in a circle until memory or stack end, which no program survives, takes the state of before the last
// change where the page that names the last one is damaged, and writes over pages in use that a damaged list
// calls free. What this lets pass is a tree, with every key where it is looked for, and every page in use
// once.
func checkPages(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	p := &pages{file: file, path: file.Name(), bytes: info.Size()}
	root, free, err := p.meta()
	if err != nil {
		return err
	}
	p.used = make([]bool, p.end)
	if err := p.tree(root, nil, nil, 0); err != nil {
		return err
	}
	return p.freelist(free)
}

type pages struct {
	file  *os.File
	path  string
	bytes int64
	size  uint64 // of a page
	end   uint64 // behind the last page
	used  []bool
}

// The layout of bbolt's pages, in the byte order of the machine.
const (
	pageHead = 16 // id, 8 bytes; flags and count, 2 each; overflow, 4
	element  = 16 // of a branch: position, key size, 4 each; page, 8. Of a leaf: flags, position, key and value size
	metaSize = 64
	magic    = 0xED0CDAED

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	maxDepth = 64 // buckets in buckets and branches, far more than there are
)

var order = binary.NativeEndian

func (p *pages) damaged(what string) error { return damaged("%s: %s", p.path, what) }

// meta reads the two pages that say where all is: those of the last change and of the one before.
func (p *pages) meta() (root, free uint64, err error) {
	head := make([]byte, pageHead+metaSize)
	if _, err := p.file.ReadAt(head, 0); err != nil {
		return 0, 0, p.damaged("invalid database")
	}
	p.size = uint64(order.Uint32(head[pageHead+8:]))
	if p.size < 512 || p.size > 1<<20 || bits.OnesCount64(p.size) != 1 {
		return 0, 0, p.damaged("invalid database")
	}
	var newest uint64
	var change [2]uint64
	for n := range change {
		if _, err := p.file.ReadAt(head, int64(n)*int64(p.size)); err != nil {
			return 0, 0, p.damaged("invalid database")
		}
		m, sum := head[pageHead:], fnv.New64a()
		_, _ = sum.Write(m[:metaSize-8])
		if order.Uint32(m) != magic || order.Uint32(m[4:]) != 2 || uint64(order.Uint32(m[8:])) != p.size || order.Uint64(m[metaSize-8:]) != sum.Sum64() ||
			order.Uint64(head) != uint64(n) || order.Uint16(head[8:]) != metaPage {
			return 0, 0, p.damaged("invalid database")
		}
		change[n] = order.Uint64(m[48:])
		if change[n] >= newest {
			newest, root, free, p.end = change[n], order.Uint64(m[16:]), order.Uint64(m[32:]), order.Uint64(m[40:])
		}
	}
	if change[0]+1 != change[1] && change[1]+1 != change[0] {
		return 0, 0, p.damaged("invalid database")
	}
	if p.end < 4 || p.end > uint64(p.bytes)/p.size {
		return 0, 0, damaged("%s has %d bytes, the data %d", p.path, p.bytes, p.end*p.size)
	}
	return root, free, nil
}

// page reads a page with those that it runs over, which nobody else may use.
func (p *pages) page(id uint64) ([]byte, error) {
	if id < 2 || id >= p.end {
		return nil, p.damaged("a page beyond the end")
	}
	head := make([]byte, pageHead)
	if _, err := p.file.ReadAt(head, int64(id*p.size)); err != nil {
		return nil, err
	}
	next := id + 1 + uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || next > p.end {
		return nil, p.damaged("a page that is another")
	}
	for n := id; n < next; n++ {
		if p.used[n] {
			return nil, p.damaged("a page in use twice")
		}
		p.used[n] = true
	}
	page := make([]byte, (next-id)*p.size)
	_, err := io.ReadFull(io.NewSectionReader(p.file, int64(id*p.size), int64(len(page))), page)
	return page, err
}

// tree checks the pages below one, whose keys are from low to below high; nil is no bound.
func (p *pages) tree(id uint64, low, high []byte, depth int) error {
	page, err := p.page(id)
	if err != nil {
		return err
	}
	return p.node(page, low, high, depth)
}

func (p *pages) node(page, low, high []byte, depth int) error {
	flags, count := order.Uint16(page[8:]), int(order.Uint16(page[10:]))
	if depth > maxDepth || flags != branchPage && flags != leafPage || pageHead+count*element > len(page) || flags == branchPage && count == 0 {
		return p.damaged("a page of no kind")
	}
	keys, values := make([][]byte, count), make([][]byte, count)
	for i := range keys {
		at := pageHead + i*element
		e := page[at : at+element]
		position, keySize, valueSize := uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])), uint64(0)
		if flags == leafPage {
			position, keySize, valueSize = uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		}
		begin := uint64(at) + position
		if begin < uint64(pageHead+count*element) || begin+keySize+valueSize > uint64(len(page)) || keySize == 0 {
			return p.damaged("an entry beyond its page")
		}
		keys[i], values[i] = page[begin:begin+keySize], page[begin+keySize:begin+keySize+valueSize]
		before := low
		if i > 0 {
			before = keys[i-1]
		}
		if c := bytes.Compare(before, keys[i]); before != nil && (c > 0 || i > 0 && c == 0) || high != nil && bytes.Compare(keys[i], high) >= 0 {
			return p.damaged("keys out of order")
		}
	}
	for i := range keys {
		e := page[pageHead+i*element:]
		var err error
		switch {
		case flags == branchPage:
			above := high
			if i+1 < count {
				above = keys[i+1]
			}
			err = p.tree(order.Uint64(e[8:]), keys[i], above, depth+1)
		case order.Uint32(e) == 1:
			err = p.bucket(values[i], depth)
		case order.Uint32(e) != 0:
			err = p.damaged("an entry of no kind")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket checks a bucket, which has pages of its own or, a small one, lies in its entry.
func (p *pages) bucket(value []byte, depth int) error {
	if len(value) < 16 {
		return p.damaged("a bucket that is none")
	}
	if root := order.Uint64(value); root != 0 {
		return p.tree(root, nil, nil, depth+1)
	}
	inline := value[16:]
	if len(inline) < pageHead || order.Uint16(inline[8:]) != leafPage {
		return p.damaged("a bucket that is none")
	}
	return p.node(inline, nil, nil, depth+1)
}

// freelist checks that every page is in use or free.
func (p *pages) freelist(id uint64) error {
	page, err := p.page(id)
	if err != nil {
		return err
	}
	list, count := page[pageHead:], uint64(order.Uint16(page[10:]))
	if count == 0xffff {
		count, list = order.Uint64(list), list[8:]
	}
	if order.Uint16(page[8:]) != freelistPage || count > uint64(len(list)/8) {
		return p.damaged("the list of free pages is none")
	}
	for n := range count {
		free := order.Uint64(list[8*n:])
		if free < 2 || free >= p.end || p.used[free] {
			return p.damaged("a page that is in use and free")
		}
		p.used[free] = true
	}
	for _, used := range p.used[2:] {
		if !used {
			return p.damaged("a page that is neither in use nor free")
		}
	}
	return nil
}
