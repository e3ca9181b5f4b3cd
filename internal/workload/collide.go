package workload

import "sync"

// pairs are pairs of blocks of six letters. All words that have one block of each pair,
// in order, share their 32-bit FNV-1a hash. So anybody can make 1<<len(pairs) words that
// share a bucket of a table with this hash.
var pairs = sync.OnceValue(func() (pairs [17][2]string) {
	state := uint32(2166136261)
	for i := range pairs {
		seen := make(map[uint32]string)
		for k := 0; ; k++ {
			block := word(k)
			h := state
			for _, c := range []byte(block) {
				h = (h ^ uint32(c)) * 16777619
			}
			if other, ok := seen[h]; ok {
				pairs[i], state = [2]string{other, block}, h
				break
			}
			seen[h] = block
		}
	}
	return pairs
})

// colliding returns word number i, less than 1<<17, of those that collide.
func colliding(i int) string {
	var b []byte
	for _, p := range pairs() {
		b = append(b, p[i&1]...)
		i >>= 1
	}
	return string(b)
}
