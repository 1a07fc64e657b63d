package replay_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/attestctl/attestctl/replay"
)

func TestSecureBootSemantics(t *testing.T) {
	insert := func(data []byte, kind uint32, after bool) func(*testing.T, *logFile) {
		return func(t *testing.T, f *logFile) {
			t.Helper()
			at := separatorOf(t, f, 7)
			if after {
				at++
			}
			f.measure(at, 7, kind, data)
		}
	}
	hash := bytes.Repeat([]byte{0xCD}, 32)
	hashes := signatureList(guidSHA256, nil, hash, hash)
	secureBoot := func(data ...byte) []byte { return variableData(guidGlobal, "SecureBoot", data) }
	lone := variableData(guidGlobal, "SecureBoo", []byte{1})
	lone[32+2*8+1] = 0xD8 // the last character becomes half a surrogate pair
	unpaired := variableData(guidGlobal, "SecureBoot", []byte{1})
	unpaired[32+1] = 0xD8 // the first character becomes half a surrogate pair
	changes := []change{
		{name: "absent", edit: replaceVariable("SecureBoot", nil), boot: func(b *replay.Boot) bool { return b.SecureBoot.Enabled == nil }},
		{name: "value 2", edit: replaceVariable("SecureBoot", secureBoot(2)), want: `"SecureBoot": value is 02 (1 bytes), want 00 or 01`},
		{name: "no value", edit: replaceVariable("SecureBoot", secureBoot()), want: "(0 bytes), want 00 or 01"},
		{name: "two bytes", edit: replaceVariable("SecureBoot", secureBoot(1, 0)), want: "(2 bytes), want 00 or 01"},
		{name: "twice", edit: insert(secureBoot(1), evConfig, false), want: `"SecureBoot": measured twice`},
		{name: "other GUID", edit: insert(variableData(guidShim, "SecureBoot", []byte{1}), evConfig, false), want: `"SecureBoot" has GUID 605dab50`},
		{name: "db in the global GUID", edit: replaceVariable("db", variableData(guidGlobal, "db", hashes)), want: `"db" has GUID 8be4df61`},
		{name: "after the separator", edit: insert(secureBoot(1), evConfig, true), want: "measured after the separator"},
		{name: "after the separator as authority", edit: insert(secureBoot(1), evAuthority, true), want: "measured after the separator"},
		{name: "dbx after the separator", edit: insert(variableData(guidImageSecurity, "dbx", hashes), evAuthority, true), want: "measured after the separator"},
		{name: "db after the separator", edit: insert(variableData(guidImageSecurity, "db", hashes), evAuthority, true), want: "neither a certificate nor"},
		{name: "look-alike name", edit: insert(variableData(guidGlobal, "SecureBoоt", []byte{0}), evConfig, false), boot: func(b *replay.Boot) bool { return *b.SecureBoot.Enabled }},
		{name: "NUL in the name", edit: insert(variableData(guidGlobal, "SecureBoot\x00", []byte{0}), evConfig, false), want: "contains a NUL"},
		{name: "lone surrogate", edit: insert(lone, evConfig, false), want: "surrogate"},
		{name: "surrogate pair", edit: insert(variableData(guidGlobal, "Secure\U0001F97EBoot", []byte{0}), evConfig, false), boot: func(b *replay.Boot) bool { return *b.SecureBoot.Enabled }},
		{name: "unpaired surrogate", edit: insert(unpaired, evConfig, false), want: "unpaired surrogate"},
		{name: "authority of old shims with other bytes behind it", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			data := append(variableData(guidImageSecurity, "db", hash), 0, 0, 0, 0, 1, 0xAF)
			f.extend(separatorOf(t, f, 7)+1, 7, evAuthority, data, data[:len(data)-1])
		}, want: "5 bytes follow variable"},
		{name: "authority not measured", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.extend(separatorOf(t, f, 7)+1, 7, evAuthority, variableData(guidImageSecurity, "db", hash), hash)
		}, want: "not that of the data"},
		{name: "authority of no bytes", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.extend(separatorOf(t, f, 7)+1, 7, evAuthority, nil, hash)
		}, want: "not that of the data"},
		{name: "authority with an unprintable name", edit: insert(variableData(guidShim, "a\nb", nil), evAuthority, true), want: "is not printable"},
		{name: "authority by hash", edit: insert(variableData(guidImageSecurity, "db", append(bytes.Repeat([]byte{1}, 16), hash...)), evAuthority, true), boot: func(b *replay.Boot) bool {
			return len(b.SecureBoot.Authority) == 4 && b.SecureBoot.Authority[0].Type == "unknown"
		}},
		{name: "bytes after the variable", edit: insert(append(variableData(guidGlobal, "AuditMode", []byte{0}), 0), evConfig, false), want: "1 bytes follow variable"},
		{name: "not a variable", edit: insert([]byte("hello"), evConfig, false), want: "variable GUID needs 16 bytes"},
		{name: "not measured", edit: func(t *testing.T, f *logFile) {
			t.Helper()
			f.extend(separatorOf(t, f, 7), 7, evConfig, secureBoot(0), []byte("other"))
		}, want: "not that of the data"},
		{name: "dbx absent", edit: replaceVariable("dbx", nil), boot: func(b *replay.Boot) bool { return b.SecureBoot.DBX == nil }},
		{name: "dbx empty", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", nil)), boot: func(b *replay.Boot) bool {
			return b.SecureBoot.DBX != nil && len(b.SecureBoot.DBX.Signatures) == 0
		}},
		{name: "dbx short", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", hashes[:27])), want: `"dbx": signature size needs`},
		{name: "dbx cut", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", hashes[:len(hashes)-1])), want: `"dbx": signatures needs 96 bytes`},
		{name: "dbx with vendor header", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", signatureList(guidSHA256, make([]byte, 48), hash))), boot: func(b *replay.Boot) bool {
			s := b.SecureBoot.DBX.Signatures
			return len(s) == 1 && s[0].Type == "sha256" && s[0].SHA256 == hex.EncodeToString(hash)
		}},
		{name: "SHA-256 entry of 20 bytes", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", signatureList(guidSHA256, nil, hash[:20]))), want: "SHA-256 entry has 20 bytes"},
		{name: "opaque type", edit: replaceVariable("dbx", variableData(guidImageSecurity, "dbx", signatureList(guidShim, nil, hash))), boot: func(b *replay.Boot) bool {
			return b.SecureBoot.DBX.Signatures[0].Type == "605dab50-e046-4300-abb6-3dd810dd8b23"
		}},
		{name: "custom db", edit: replaceVariable("db", variableData(guidImageSecurity, "db", hashes)), boot: func(b *replay.Boot) bool {
			return len(b.SecureBoot.DB.Signatures) == 2 && b.SecureBoot.DB.Signatures[0].Owner == "11111111-1111-1111-1111-111111111111"
		}},
		{name: "unparsable certificate", edit: replaceVariable("db", variableData(guidImageSecurity, "db", signatureList(guidX509, nil, hash))), boot: func(b *replay.Boot) bool {
			s := b.SecureBoot.DB.Signatures[0]
			return s.Type == "x509" && s.Subject == "" && len(s.SHA256) == 64
		}},
		{name: "enabled without PK", edit: replaceVariable("PK", nil), want: "there is no PK"},
		{name: "enabled without authority", log: "ubuntu-2104-no-dbx", edit: replaceVariable("SecureBoot", secureBoot(1)), want: "no key authorised an image"},
		{name: "SBAT twice", log: "cos-101-amd-sev", edit: insert(variableData(guidShim, "SbatLevel", []byte("sbat,1,2021030218\n")), evAuthority, true), want: `"SbatLevel": measured twice`},
		{name: "SBAT text", edit: insert(variableData(guidShim, "SbatLevel", []byte("sbat,1\x1b[0m")), evAuthority, true), want: "not an SBAT level"},
		{name: "MokSBState 1", edit: insert(variableData(guidShim, "MokSBState", []byte{1}), evAuthority, true), boot: func(b *replay.Boot) bool {
			return *b.SecureBoot.MOK.ValidationDisabled && slices.Contains(b.Forgeable, "boot.secure_boot.mok")
		}},
		{name: "MokSBState 2", edit: insert(variableData(guidShim, "MokSBState", []byte{2}), evAuthority, true), want: `"MokSBState": value is 02`},
		{name: "MokSBState of another GUID", edit: insert(variableData(guidGlobal, "MokSBState", []byte{0}), evAuthority, true), boot: func(b *replay.Boot) bool {
			return b.SecureBoot.MOK.ValidationDisabled == nil
		}},
		{name: "MokSBState in PCR 14", edit: func(_ *testing.T, f *logFile) {
			f.extend(len(f.events), 14, evIPL, []byte("MokSBState\x00"), []byte{1})
		}, boot: func(b *replay.Boot) bool { return *b.SecureBoot.MOK.ValidationDisabled }},
		{name: "MokSBState in PCR 14 of 0", edit: func(_ *testing.T, f *logFile) {
			f.extend(len(f.events), 14, evIPL, []byte("MokSBState\x00"), []byte{0})
		}, boot: func(b *replay.Boot) bool { return b.SecureBoot.MOK.ValidationDisabled == nil }},
		{name: "MokSBState in PCR 14 of 7", edit: func(_ *testing.T, f *logFile) {
			f.extend(len(f.events), 14, evIPL, []byte("MokSBState\x00"), []byte{7})
		}, want: "neither 0 nor 1"},
		{name: "UEFI debug mode", edit: insert([]byte("UEFI Debug Mode"), evAction, false), boot: func(b *replay.Boot) bool { return b.UEFIDebug != nil && *b.UEFIDebug }},
		{name: "DMA protection disabled", edit: insert([]byte("DMA Protection Disabled"), evAction, false), boot: func(b *replay.Boot) bool { return b.DMAProtectionDisabled != nil && *b.DMAProtectionDisabled }},
	}
	for _, c := range changes {
		t.Run(c.name, c.run)
	}
}
