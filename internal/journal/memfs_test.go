package journal

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// memFS is a file system in memory that knows what a power loss leaves of it.
// Names and bytes are on disk once they have been synced. Until then crash
// keeps, loses or spoils each sector, and keeps or loses each name, as it
// likes. What it does not do is spoil bytes that are on disk already: a sector
// that is written again in part keeps the other part, as drives promise.
type memFS struct {
	mu      sync.Mutex
	names   map[string]*node // as programs see them
	disk    map[string]*node // as a crash leaves them
	pending []nameOp
	open    int // files
}

type nameOp struct {
	name string
	node *node  // nil: removed
	old  string // renamed from; empty: it was not
}

// apply does what the operation does to names.
func (op nameOp) apply(names map[string]*node) {
	if op.old != "" {
		delete(names, op.old)
	}
	if op.node == nil {
		delete(names, op.name)
	} else {
		names[op.name] = op.node
	}
}

type node struct {
	dir     bool
	perm    fs.FileMode
	data    []byte // as programs see it
	disk    []byte
	pending []dataOp
}

type dataOp struct {
	off  int64
	data []byte // nil: cut at off
}

const sector = 16

func newMemFS() *memFS {
	root := map[string]*node{"/": {dir: true}}
	return &memFS{names: root, disk: cloneNames(root)}
}

func cloneNames(m map[string]*node) map[string]*node {
	c := make(map[string]*node, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (m *memFS) set(name string, n *node) {
	if n == nil {
		delete(m.names, name)
	} else {
		m.names[name] = n
	}
	m.pending = append(m.pending, nameOp{name: name, node: n})
}

func (m *memFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.names[name]
	switch {
	case ok && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, fs.ErrExist)
	case !ok && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case !ok:
		if p := m.names[filepath.Dir(name)]; p == nil || !p.dir {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = &node{perm: perm}
		m.set(name, n)
	}
	m.open++
	return &memFile{fs: m, name: name, node: n, readOnly: flag&os.O_RDWR == 0}, nil
}

func (m *memFS) Mkdir(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil {
		return pathError("mkdir", name, fs.ErrExist)
	}
	if p := m.names[filepath.Dir(name)]; p == nil || !p.dir {
		return pathError("mkdir", name, fs.ErrNotExist)
	}
	m.set(name, &node{dir: true, perm: perm})
	return nil
}

func (m *memFS) ReadDir(dir string) (names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.names[dir]; p == nil || !p.dir {
		return nil, pathError("readdir", dir, fs.ErrNotExist)
	}
	for name := range m.names {
		if name != dir && filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	m.set(name, nil)
	return nil
}

func (m *memFS) Rename(old, new string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[old] == nil {
		return pathError("rename", old, fs.ErrNotExist)
	}
	op := nameOp{name: new, node: m.names[old], old: old}
	op.apply(m.names)
	m.pending = append(m.pending, op)
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = slices.DeleteFunc(m.pending, func(op nameOp) bool {
		if filepath.Dir(op.name) != dir {
			return false
		}
		op.apply(m.disk)
		return true
	})
	return nil
}

func (m *memFS) SameFile(name string, f File) (bool, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := f.(*memFile).node
	return m.names[name] == n, int64(len(n.data)), nil
}

// files returns what programs see: the contents by path.
func (m *memFS) files() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]string{}
	for name, n := range m.names {
		if !n.dir {
			all[name] = string(n.data)
		}
	}
	return all
}

// put makes a file with its parents, all of it on disk.
func (m *memFS) put(name, content string) {
	for dir := filepath.Dir(name); m.names[dir] == nil; dir = filepath.Dir(dir) {
		m.names[dir] = &node{dir: true}
		m.disk[dir] = m.names[dir]
	}
	n := &node{data: []byte(content), disk: []byte(content), perm: 0o600}
	m.names[name], m.disk[name] = n, n
}

// dropped makes a file's unsynced bytes such that no sync writes them any more:
// what a failed fsync does on Linux.
func (m *memFS) dropped(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names[name].pending = nil
}

// clone returns the same file system again, with all that is unsynced: what a
// process leaves that is killed.
func (m *memFS) clone() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[*node]*node{nil: nil}
	copied := func(n *node) *node {
		if _, ok := seen[n]; !ok {
			seen[n] = &node{n.dir, n.perm, slices.Clone(n.data), slices.Clone(n.disk), slices.Clone(n.pending)}
		}
		return seen[n]
	}
	c := &memFS{names: map[string]*node{}, disk: map[string]*node{}}
	for name, n := range m.names {
		c.names[name] = copied(n)
	}
	for name, n := range m.disk {
		c.disk[name] = copied(n)
	}
	for _, op := range m.pending {
		c.pending = append(c.pending, nameOp{op.name, copied(op.node), op.old})
	}
	return c
}

// crash returns what a power loss leaves. Half of the time it is one of the
// extremes: everything unsynced is lost, or everything is kept.
func (m *memFS) crash(r *rand.Rand) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	lose := []int{0, 0, 2, 4, 8, 8}[r.IntN(6)] // in eighths
	lost := func() bool { return r.IntN(8) < lose }

	names := cloneNames(m.disk)
	for _, op := range m.pending {
		if !lost() {
			op.apply(names)
		}
	}
	after := newMemFS()
	seen := map[*node]*node{}
	for name, n := range names {
		if !reachable(names, name) {
			continue
		}
		if seen[n] == nil {
			b := n.left(r, lost)
			seen[n] = &node{dir: n.dir, perm: n.perm, data: b, disk: slices.Clone(b)}
		}
		after.names[name] = seen[n]
	}
	after.disk = cloneNames(after.names)
	return after
}

func reachable(names map[string]*node, name string) bool {
	for ; name != "/"; name = filepath.Dir(name) {
		if names[name] == nil {
			return false
		}
	}
	return true
}

// left returns what a crash leaves of a file.
func (n *node) left(r *rand.Rand, lost func() bool) []byte {
	b := slices.Clone(n.disk)
	for _, op := range n.pending {
		if op.data == nil {
			if !lost() {
				b = resize(b, op.off)
			}
			continue
		}
		for done := 0; done < len(op.data); {
			at := op.off + int64(done)
			end := min(len(op.data), done+sector-int(at%sector))
			part := op.data[done:end]
			done = end
			if lost() {
				if r.IntN(2) == 0 {
					continue
				}
				spoilt := make([]byte, len(part))
				for i := range spoilt {
					spoilt[i] = byte(r.Uint32())
				}
				part = spoilt
			}
			if need := at + int64(len(part)); need > int64(len(b)) {
				b = resize(b, need)
			}
			copy(b[at:], part)
		}
	}
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

type memFile struct {
	fs       *memFS
	name     string
	node     *node
	readOnly bool
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.readOnly {
		return 0, pathError("write", f.name, fs.ErrPermission)
	}
	if need := off + int64(len(b)); need > int64(len(f.node.data)) {
		f.node.data = resize(f.node.data, need)
	}
	copy(f.node.data[off:], b)
	f.node.pending = append(f.node.pending, dataOp{off, append([]byte{}, b...)})
	return len(b), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.readOnly {
		return pathError("truncate", f.name, fs.ErrPermission)
	}
	f.node.data = resize(f.node.data, size)
	f.node.pending = append(f.node.pending, dataOp{off: size})
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	for _, op := range f.node.pending {
		if op.data == nil {
			f.node.disk = resize(f.node.disk, op.off)
			continue
		}
		if need := op.off + int64(len(op.data)); need > int64(len(f.node.disk)) {
			f.node.disk = resize(f.node.disk, need)
		}
		copy(f.node.disk[op.off:], op.data)
	}
	f.node.pending = nil
	return nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.open--
	return nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return memInfo{int64(len(f.node.data)), f.node.perm}, nil
}

type memInfo struct {
	size int64
	perm fs.FileMode
}

func (i memInfo) Name() string       { return "" }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.perm }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return false }
func (i memInfo) Sys() any           { return nil }
