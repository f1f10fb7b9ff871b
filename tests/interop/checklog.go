// checklog checks a served log with golang.org/x/mod/sumdb/{note,tlog}, none of the server's code.
//
//	checklog VKEY URL [FILE]
//
// It opens the checkpoint with the key, fetches every bundle, computes the tree from the entries,
// compares its root and every tile with what is served, and proves entries and older sizes with
// that package. FILE holds notes that were served before, each after a line with its length in
// bytes: they must be signed, and be of this log. Prints "SIZE entries, TILES tiles, OLD older
// checkpoints"; on any difference one line on standard error, and 1.
//
// Nothing is read through tlog.TileHashReader: in Debian's version it does not check all tiles
// (CVE-2026-56865). Built with GO111MODULE=off GOPATH=/usr/share/gocode.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func get(url string) []byte {
	answer, err := http.Get(url)
	if err != nil {
		fail("%v", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		fail("%s: %s %v", url, answer.Status, err)
	}
	return body
}

// open gives the size and root of a signed checkpoint.
func open(signed []byte, verifier note.Verifier) tlog.Tree {
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		fail("checkpoint: %v", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("checkpoint: %q", n.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || err2 != nil || len(root) != tlog.HashSize {
		fail("checkpoint: %q", n.Text)
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

// stored is the tree in memory, in the order of tlog.StoredHashIndex.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = s[index]
	}
	return hashes, nil
}

// The path of a tile as the package spells it, without its height.
func path(t tlog.Tile) string {
	if t.L == -1 {
		return strings.Replace(t.Path(), "tile/8/data/", "tile/entries/", 1)
	}
	return strings.Replace(t.Path(), "tile/8/", "tile/", 1)
}

func fetchEntries(url string, size int64) stored {
	var tree stored
	for n := int64(0); n*256 < size; n++ {
		width := int(size - n*256)
		if width > 256 {
			width = 256
		}
		bundle := get(url + "/" + path(tlog.Tile{H: height, L: -1, N: n, W: width}))
		for i := 0; i < width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				fail("bundle %d is cut", n)
			}
			end := 2 + int(bundle[0])<<8 + int(bundle[1])
			hashes, err := tlog.StoredHashes(n*256+int64(i), bundle[2:end], tree)
			if err != nil {
				fail("%v", err)
			}
			tree = append(tree, hashes...)
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			fail("bundle %d is too long", n)
		}
	}
	return tree
}

func checkTiles(url string, size int64, tree stored) int {
	tiles := tlog.NewTiles(height, 0, size)
	for _, t := range tiles {
		want, err := tlog.ReadTileData(t, tree)
		if err != nil {
			fail("%v", err)
		}
		if !bytes.Equal(get(url+"/"+path(t)), want) {
			fail("%s is not of the entries", path(t))
		}
	}
	return len(tiles)
}

func checkProofs(head tlog.Tree, tree stored) {
	for n := int64(0); n < head.N; n += 1 + head.N/50 {
		proof, err := tlog.ProveRecord(head.N, n, tree)
		if err != nil {
			fail("%v", err)
		}
		if err := tlog.CheckRecord(proof, head.N, head.Hash, n, tree[tlog.StoredHashIndex(0, n)]); err != nil {
			fail("entry %d: %v", n, err)
		}
	}
}

func checkOlder(head, old tlog.Tree, tree stored) {
	if old.N > head.N {
		fail("size %d was published, and now it is %d", old.N, head.N)
	}
	proof, err := tlog.ProveTree(head.N, old.N, tree)
	if err != nil {
		fail("%v", err)
	}
	if err := tlog.CheckTree(proof, head.N, head.Hash, old.N, old.Hash); err != nil {
		fail("size %d: %v", old.N, err)
	}
}

func readOlder(name string) [][]byte {
	var notes [][]byte
	data, err := os.ReadFile(name)
	if err != nil {
		fail("%v", err)
	}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		length, err := strconv.Atoi(string(data[:end]))
		if err != nil {
			fail("%v", err)
		}
		notes = append(notes, data[end+1:end+1+length])
		data = data[end+1+length:]
	}
	return notes
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fail("%v", err)
	}
	url := strings.TrimSuffix(os.Args[2], "/")
	head := open(get(url+"/checkpoint"), verifier)
	tree := fetchEntries(url, head.N)
	root, err := tlog.TreeHash(head.N, tree)
	if err != nil || root != head.Hash {
		fail("the root is not of the entries: %v", err)
	}
	tiles := checkTiles(url, head.N, tree)
	checkProofs(head, tree)
	older := 0
	if len(os.Args) > 3 {
		for _, signed := range readOlder(os.Args[3]) {
			checkOlder(head, open(signed, verifier), tree)
			older++
		}
	}
	fmt.Printf("%d entries, %d tiles, %d older checkpoints\n", head.N, tiles, older)
}
