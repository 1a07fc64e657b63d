package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tokenSized is a record with claims as large as those of a token.
func tokenSized() Record {
	r := sample("0190f3b2-7c1e-7d4b-9d55-3f6f1d0c9a11")
	var claims []string
	for i := range 30 {
		claims = append(claims, fmt.Sprintf(`"claim_%02d":{"value":"%064d","known":true}`, i, i))
	}
	r.Input = json.RawMessage("{" + strings.Join(claims, ",") + "}")
	return r
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			l := open(b, filepath.Join(b.TempDir(), "audit.log"), options(0))
			r := tokenSized()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := l.Append(b.Context(), r); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

func BenchmarkLine(b *testing.B) {
	r := tokenSized()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Line(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	path := filepath.Join(b.TempDir(), "audit.log")
	l := open(b, path, options(0))
	for range 100 {
		appendAll(b, l, tokenSized())
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	log := contents(b, path)
	for _, deep := range []bool{true, false} {
		b.Run(fmt.Sprintf("decoded=%t", deep), func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			for b.Loop() {
				w, err := newWalker(bytes.NewReader(log), testPub)
				if err != nil {
					b.Fatal(err)
				}
				w.deep = deep
				for err == nil {
					_, err = w.next()
				}
			}
		})
	}
}
