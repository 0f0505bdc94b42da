package blob_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"remuda"
	"remuda/blob"
)

func TestSignedAddresses(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	newSigner := func(key byte) *blob.Signer {
		s, err := blob.NewSigner(bytes.Repeat([]byte{key}, 32), clock)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	signer := newSigner(1)
	const path = "/files/a%2Fb.jpg"
	good := signer.Sign(path, now.Add(time.Minute))
	change := func(old, new string) string {
		changed := strings.Replace(good, old, new, 1)
		if changed == good {
			t.Fatalf("%s has no %q", good, old)
		}
		return changed
	}
	for name, c := range map[string]struct {
		url  string
		says string // "" for good
	}{
		"as signed":              {good, ""},
		"more parameters":        {good + "&download=1", ""},
		"last second":            {signer.Sign(path, now.Add(time.Second)), ""},
		"at its end":             {signer.Sign(path, now), "expired"},
		"long over":              {signer.Sign(path, now.Add(-time.Hour)), "expired"},
		"other path":             {change("a%2Fb", "a%2Fc"), "not signed"},
		"path escaped otherwise": {change("a%2Fb", "a/b"), "not signed"},
		"later end":              {change("expires=1", "expires=2"), "not signed"},
		"end given first":        {change("?expires", "?expires=9999999999&expires"), "not signed"},
		"no end":                 {change("expires", "expired"), "not signed"},
		"no signature":           {change("signature", "sign"), "not signed"},
		"empty signature":        {good[:strings.Index(good, "signature=")] + "signature=", "not signed"},
		"cut signature":          {good[:len(good)-1], "not signed"},
		"no query":               {path, "not signed"},
		"another server's":       {newSigner(2).Sign(path, now.Add(time.Minute)), "not signed"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		err = signer.Verify(u.EscapedPath(), u.Query())
		if c.says == "" && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		if c.says != "" && (remuda.CodeOf(err) != remuda.Unauthorized || !strings.Contains(err.Error(), c.says) || remuda.HintOf(err) == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}

func TestShortKeysSignNothing(t *testing.T) {
	if _, err := blob.NewSigner(make([]byte, 31), time.Now); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestRefsAreReadAsTheyAreWritten(t *testing.T) {
	// SHA-256 of "abc": FIPS 180-4, the example of NIST.
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	ref, err := blob.ParseRef(abc)
	if err != nil || ref != blob.RefOf([]byte("abc")) || ref.String() != abc || ref.IsZero() || !(blob.Ref{}).IsZero() {
		t.Errorf("got %s, %v", ref, err)
	}
	text, err := json.Marshal(map[blob.Ref]blob.Ref{ref: ref})
	if err != nil || string(text) != `{"`+abc+`":"`+abc+`"}` {
		t.Errorf("got %s, %v", text, err)
	}
	var back map[blob.Ref]blob.Ref
	if err := json.Unmarshal(text, &back); err != nil || back[ref] != ref {
		t.Errorf("got %v, %v", back, err)
	}
	for _, bad := range []string{"", abc[1:], abc + "0", strings.ToUpper(abc), "../" + abc[3:], abc[:63] + "g", abc[:63] + "\n"} {
		if _, err := blob.ParseRef(bad); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
