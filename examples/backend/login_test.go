package main

import (
	"testing"
	"time"
)

// No text gets through that was not stamped here, whatever is made of a stamp.
func FuzzUnstamp(f *testing.F) {
	origin, err := parseOrigin("https://shop.example")
	if err != nil {
		f.Fatal(err)
	}
	l, err := newLogin(testSecret, origin, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l.stamp("a", "text", time.Now().Add(time.Hour)))
	f.Add(l.stamp("b", "text", time.Now().Add(time.Hour)))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if text, err := l.unstamp("a", token); err == nil && text != "text" {
			t.Fatalf("%q came of %q", text, token)
		}
		if text, err := l.unstamp("c", token); err == nil {
			t.Fatalf("%q came of %q, for another purpose", text, token)
		}
	})
}
