package forge

import (
	"fmt"
	"slices"

	"github.com/google/go-sev-guest/proto/sevsnp"
)

// rawCase is one of a report by itself, edited as bytes after it is minted.
func rawCase(name string, edit func(*SNPReport) []byte) Case {
	return Case{Name: name, machine: aloneMachine(snpMachine()), form: alone, trust: func(e *Evidence) error {
		e.Raw = edit(e.SNP)
		return nil
	}}
}

// tableCases: the certificate table comes from the host and is signed by nobody.
func tableCases() []Case {
	table := func(name string, edit func([]TableEntry) []TableEntry) Case {
		return rawCase(name, func(r *SNPReport) []byte {
			return slices.Concat(r.Raw, CertTable(edit(r.TableEntries())))
		})
	}
	placed := func(offset, length uint32) func([]TableEntry) []TableEntry {
		return func(e []TableEntry) []TableEntry {
			e[1].Offset, e[1].Length = offset, length
			return e
		}
	}
	const second = 24*4 + 1
	return inRow(34, "snp_raw_bombs", "format.strict",
		table("offset_and_length_wrap", placed(0xFFFFFF00, 0x200)),
		table("offset_beyond_the_end", placed(0xFFFFFF00, 1)),
		table("length_beyond_the_end", placed(24*4, 0xFFFFFFFF)),
		table("blob_inside_the_entries", placed(8, 16)),
		table("overlapping_blobs", placed(second, 100)),
		table("2000_entries_of_one_blob", func(e []TableEntry) []TableEntry {
			const n = 2000
			bomb := []TableEntry{{GUID: e[0].GUID, Data: make([]byte, 200<<10)}}
			for i := 1; i < n; i++ {
				bomb = append(bomb, TableEntry{GUID: numbered(i), Data: bomb[0].Data, Offset: 24 * (n + 1)})
			}
			return bomb
		}),
		table("17_entries", func(e []TableEntry) []TableEntry {
			for i := len(e); i < 17; i++ {
				e = append(e, TableEntry{GUID: numbered(i), Data: []byte{1}})
			}
			return e
		}),
		table("same_guid_twice", func(e []TableEntry) []TableEntry { return append(e, e[0]) }),
		rawCase("no_end_of_the_table", func(r *SNPReport) []byte { return append(slices.Clone(r.Raw), r.CertTable()[:24]...) }),
		rawCase("stray_data_after_the_table", func(r *SNPReport) []byte { return append(r.Extended(), 1) }),
		Case{Name: "extras_without_guid", machine: snpMachine(), edit: carrying(func(c *sevsnp.CertificateChain) {
			c.Extras = map[string][]byte{"not-a-guid": {1}}
		})},
		Case{Name: "2000_extras", machine: snpMachine(), edit: carrying(func(c *sevsnp.CertificateChain) {
			c.Extras = map[string][]byte{}
			for i := range 2000 {
				c.Extras[numbered(i)] = []byte{1}
			}
		})},
		Case{
			Name: "table_of_the_other_product", Check: "snp.chain", machine: aloneMachine(snpMachine()), form: alone,
			edit: reportingNonce(func(s *SNP) { s.IssuedBy = Genoa }),
		},
	)
}

// reportingNonce is reportingSNP for a report alone.
func reportingNonce(edit func(*SNP)) func(*Machine) {
	return reporting(func(h *Hardware) { h.SNP, h.Binding = &SNP{}, BindNonce; edit(h.SNP) })
}

// numbered is a GUID that nobody uses.
func numbered(i int) string {
	const digits = "0123456789abcdef"
	text := []byte("00000000-0000-4000-8000-000000000000")
	for at := len(text) - 1; i > 0; at, i = at-1, i/16 {
		text[at] = digits[i%16]
	}
	return string(text)
}

// layoutCases: a report has one length and one layout for its version.
func layoutCases() []Case {
	unsigned := func(name string, edit func([]byte)) Case {
		return Case{Name: name, machine: aloneMachine(snpMachine()), form: alone, edit: reportingNonce(func(s *SNP) {
			s.Edits.Unsigned = func(b []byte) error { edit(b); return nil }
		})}
	}
	at := func(offset int, value byte) func([]byte) { return func(b []byte) { b[offset] = value } }
	version := func(n uint32) Case {
		return Case{Name: fmt.Sprintf("version_%d", n), machine: snpMachine(), edit: reportingSNP(func(s *SNP) { s.Version = n })}
	}
	return inRow(34, "snp_raw_bombs", "format.strict",
		version(1), version(6),
		rawCase("a_byte_short", func(r *SNPReport) []byte { return r.Raw[:len(r.Raw)-1] }),
		rawCase("trailing_byte", func(r *SNPReport) []byte { return append(slices.Clone(r.Raw), 1) }),
		Case{Name: "policy_without_bit_17", machine: snpMachine(), edit: reportingSNP(func(s *SNP) { s.Policy = 1 << 16 })},
		Case{Name: "unknown_policy_bit", machine: snpMachine(), edit: reportingSNP(func(s *SNP) { s.Policy = DefaultGuestPolicy | 1<<26 })},
		unsigned("version_1_alone", at(0, 1)), unsigned("version_6_alone", at(0, 6)),
		unsigned("reserved_0x4c", at(0x4C, 1)), unsigned("reserved_key_info", at(0x4B, 1)),
		unsigned("reserved_0x18b", at(0x18B, 1)), unsigned("reserved_0x1eb", at(0x1EB, 1)),
		unsigned("reserved_0x29f", at(0x29F, 1)),
		unsigned("cpuid_in_version_2", func(b []byte) { b[0] = 2 }),
		unsigned("mitigations_in_version_4", func(b []byte) { b[0], b[0x1F8] = 4, 1 }),
	)
}
