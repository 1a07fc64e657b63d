package forge

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// strippedCases: a PCR that was extended must be explained by the log.
func strippedCases() []Case {
	cases := []Case{
		{Name: "emptied", Check: "eventlog.format", edit: sending(func(a *attest.Attestation) { a.EventLog = nil })},
		{Name: "header_only", Check: "eventlog.format", edit: logging(func([]Event) []Event { return nil })},
		{Name: "last_of_pcr_8_cut", Check: "eventlog.replay", edit: logging(cutLast(8))},
		{Name: "last_of_pcr_14_cut", Check: "eventlog.replay", edit: logging(cutLast(14))},
		{Name: "extra_in_pcr_9", Check: "eventlog.replay", edit: logging(func(events []Event) []Event {
			return append(slices.Clone(events), grubFile("/boot/extra", "never measured"))
		})},
		{Name: "order_in_pcr_8_changed", Check: "eventlog.replay", edit: logging(swapFirst(8))},
		{Name: "ima_in_pcr_10", Want: "accepted: PCR 10, which IMA extends without a firmware event, is in boot.unexplained_pcrs", edit: extendIMA},
	}
	for _, pcr := range []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("pcr_%d_stripped", pcr),
			edit: logging(dropping(func(e Event) bool { return e.PCR == pcr })),
		})
	}
	return inRow(26, "log_emptied_or_pcr_stripped", "eventlog.coverage", cases...)
}

func cutLast(pcr uint32) func([]Event) []Event {
	return func(events []Event) []Event {
		for i, e := range slices.Backward(events) {
			if e.PCR == pcr {
				return slices.Delete(slices.Clone(events), i, i+1)
			}
		}
		return events
	}
}

// swapFirst exchanges the first two events of a PCR.
func swapFirst(pcr uint32) func([]Event) []Event {
	return func(events []Event) []Event {
		out, first := slices.Clone(events), -1
		for i, e := range out {
			if e.PCR != pcr {
				continue
			}
			if first >= 0 {
				out[first], out[i] = out[i], out[first]
				return out
			}
			first = i
		}
		return out
	}
}

func extendIMA(m *Machine) {
	m.Edits.Banks = func(banks Banks) error {
		for alg, bank := range banks {
			measured, err := digest(alg, []byte("boot_aggregate"))
			if err != nil {
				return err
			}
			if err := bank.Extend(alg, 10, measured); err != nil {
				return err
			}
		}
		return nil
	}
}

// forgedCases: what the owner of the machine can add to a log, or rename in
// it, after the boot must not become a claim.
func forgedCases() []Case {
	isAction5 := func(e Event) bool { return e.PCR == 5 && e.Type == EvAction }
	isImage := func(e Event) bool { return e.Type == EvBootApplication }
	forgedImage, content := image(`\EFI\BOOT\verified.efi`, "an image that never ran"), "set default=0"
	imageDigest, err := forgedImage.Digest(SHA256)
	if err != nil { // never for SHA-256
		return nil
	}
	return inRow(28, "cmdline_and_apps_forged", "eventlog.semantics",
		Case{Name: "prefixes_swapped", Forged: content, edit: logging(swapKinds(content))},
		Case{Name: "retyped_and_appended", Forged: forgedLine, edit: measuring(func(events []Event) []Event {
			events = changing(isKernelLine, func(e *Event) { e.Type = EvEventTag })(events)
			return append(events, GRUBCommand("kernel_cmdline", forgedLine))
		})},
		Case{Name: "second_line_appended", Forged: forgedLine, edit: measuring(func(events []Event) []Event {
			return append(slices.Clone(events), GRUBCommand("kernel_cmdline", forgedLine))
		})},
		Case{
			Name: "app_appended", Forged: hex.EncodeToString(imageDigest),
			Want: "accepted: the list of applications is in boot.forgeable",
			edit: measuring(inserting(forgedImage, isAction5)),
		},
		Case{Name: "app_retyped", edit: logging(changing(isImage, func(e *Event) { e.Type = EvVariableBoot }))},
	)
}

// swapKinds calls the kernel's command line a command, and a command the
// kernel's command line. GRUB measures neither prefix: no PCR changes.
func swapKinds(content string) func([]Event) []Event {
	command := GRUBCommand("grub_cmd", content)
	return func(events []Event) []Event {
		out := slices.Clone(events)
		for i, e := range out {
			switch {
			case isKernelLine(e):
				out[i] = GRUBCommand("grub_cmd", string(e.Measured))
			case string(e.Data) == string(command.Data):
				out[i] = GRUBCommand("kernel_cmdline", content)
			}
		}
		return out
	}
}
