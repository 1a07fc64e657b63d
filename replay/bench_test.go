package replay_test

import (
	"crypto"
	"testing"

	"github.com/google/go-eventlog/extract"
	"github.com/google/go-eventlog/proto/state"
	"github.com/google/go-eventlog/register"
	"github.com/google/go-eventlog/tcg"
	"github.com/google/go-eventlog/tpmeventlog"

	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/replay"
)

const benchLog = "cos-85-amd-sev" // 24 KB, 45 events

func BenchmarkParse(b *testing.B) {
	raw := realLog(b, benchLog)
	b.Run("attestctl", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustParse(b, raw)
		}
	})
	b.Run("go-eventlog", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tcg.ParseEventLog(raw, tcg.ParseOpts{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseReplayBoot(b *testing.B) {
	raw := realLog(b, benchLog)
	bank := register.PCRBank{
		TCGHashAlgo: state.HashAlgo_SHA256,
		PCRs:        measured(mustReplay(b, mustParse(b, raw), tpm.AlgSHA256), crypto.SHA256),
	}
	b.Run("attestctl", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l, err := replay.ParseLog(raw, replay.LogOptions{})
			if err != nil {
				b.Fatal(err)
			}
			mustReplay(b, l, tpm.AlgSHA256)
			if _, findings := l.Boot([]tpm.Alg{tpm.AlgSHA256}); len(findings) > 0 {
				b.Fatal(findings)
			}
		}
	})
	b.Run("go-eventlog", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tpmeventlog.ReplayAndExtract(raw, bank, extract.Opts{Loader: extract.GRUB}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
