package flow

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"remuda"
)

// backupEntry is what an entry of a backup holds.
type backupEntry struct {
	kind  backupKind
	table string // of rows
	file  string // hash of a file
	name  string
	size  int64
}

type backupKind int

const (
	headOfBackup backupKind = iota
	rowsOfBackup
	fileOfBackup
	endOfBackup
)

// notWhole says that a backup can't be used.
func notWhole(format string, args ...any) error {
	return remuda.Errorf(remuda.Invalid, "the backup is not whole: "+format, args...).WithHint("use another backup")
}

// parseEntry finds out what an entry holds.
func parseEntry(h *tar.Header) (backupEntry, error) {
	e := backupEntry{name: h.Name, size: h.Size}
	if rest, ok := strings.CutPrefix(h.Name, tablesFolder); ok {
		rest = strings.TrimSuffix(rest, ".jsonl")
		_, table, found := strings.Cut(rest, "-")
		e.kind, e.table = rowsOfBackup, table
		if found {
			return e, nil
		}
	} else if e.file, ok = strings.CutPrefix(h.Name, filesFolder); ok {
		e.kind = fileOfBackup
		return e, nil
	} else if h.Name == headerEntry {
		return e, nil
	} else if h.Name == endEntry {
		e.kind = endOfBackup
		return e, nil
	}
	return e, remuda.Errorf(remuda.Invalid, "this is no backup of remuda: it has %.80q", h.Name).WithHint("name a file that `remuda backup` wrote")
}

// readBackup hands over the entries of a backup in order.
func readBackup(open OpenBackup, visit func(e backupEntry, content io.Reader) error) (err error) {
	file, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	entries := tar.NewReader(file)
	for first := true; ; first = false {
		h, err := entries.Next()
		if err == io.EOF && !first {
			return nil
		}
		if err != nil && first {
			return remuda.Errorf(remuda.Invalid, "this is no backup of remuda: %w", err).WithHint("name a file that `remuda backup` wrote")
		}
		if err != nil {
			return notWhole("%w", err)
		}
		e, err := parseEntry(h)
		if err != nil {
			return err
		}
		if err := visit(e, entries); err != nil {
			return err
		}
	}
}

// VerifyBackup reads a backup to its end and says what it holds; invalid if it
// is none, is not whole, or has changed since it was written.
func VerifyBackup(open OpenBackup) (header BackupHeader, end BackupEnd, err error) {
	var seen BackupEnd
	sum := sha256.New()
	ended := false
	err = readBackup(open, func(e backupEntry, content io.Reader) error {
		if ended {
			return notWhole("something follows its end")
		}
		if (header.Format == 0) != (e.kind == headOfBackup) {
			return remuda.Errorf(remuda.Invalid, "this is no backup of remuda: it begins with %.80q", e.name).WithHint("name a file that `remuda backup` wrote")
		}
		if e.kind == endOfBackup {
			ended = true
			return readJSONEntry(content, &end)
		}
		fmt.Fprintf(sum, "%s\n%d\n", e.name, e.size)
		content = io.TeeReader(content, sum)
		switch e.kind {
		case headOfBackup:
			return readHeader(content, &header)
		case rowsOfBackup:
			rows, err := readRows(e.table, content)
			seen.Rows += int64(len(rows.Values))
			return err
		default:
			seen.Files++
			seen.Bytes += e.size
			return verifyFile(e, content)
		}
	})
	if err != nil {
		return header, end, err
	}
	if !ended {
		return header, end, notWhole("its end is missing")
	}
	if seen.Rows != end.Rows || seen.Files != end.Files || seen.Bytes != end.Bytes || hex.EncodeToString(sum.Sum(nil)) != end.SHA256 {
		return header, end, notWhole("it holds %d rows and %d files that add up to something else than the %d and %d that were written", seen.Rows, seen.Files, end.Rows, end.Files)
	}
	return header, end, nil
}

func readHeader(content io.Reader, header *BackupHeader) error {
	if err := readJSONEntry(content, header); err != nil {
		return err
	}
	if header.Format != backupFormat {
		return remuda.Errorf(remuda.Invalid, "the backup has format %d, this program reads %d", header.Format, backupFormat).WithHint("use a newer remuda")
	}
	return nil
}

// maxJSONEntry bounds what is read of header and end.
const maxJSONEntry = 256 << 20

func readJSONEntry(content io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(content, maxJSONEntry))
	if err != nil {
		return notWhole("%w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return notWhole("%w", err)
	}
	return nil
}

// verifyFile says whether a file has the bytes that its name says.
func verifyFile(e backupEntry, content io.Reader) error {
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return notWhole("%w", err)
	}
	if hex.EncodeToString(h.Sum(nil)) != e.file {
		return notWhole("the bytes of file %.80s have changed", e.file)
	}
	return nil
}
