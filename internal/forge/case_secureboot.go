package forge

import "slices"

// secureBootCases: the Secure Boot state is read from one variable of one
// vendor, before the separator, with the value 0 or 1.
func secureBootCases() []Case {
	isState := func(e Event) bool { return isVariable(e, "SecureBoot") }
	state := func(vendor GUID, value ...byte) func(*Machine) {
		return measuring(changing(isState, func(e *Event) { *e = variableEvent(vendor, "SecureBoot", value) }))
	}
	on := variableEvent(GlobalVariable(), "SecureBoot", []byte{1})
	off := Machine{Boot: Boot{SecureBoot: SecureBootOff}}
	return inRow(30, "secureboot_semantics", "eventlog.semantics",
		Case{Name: "variable_twice", edit: measuring(inserting(on, isSeparator7))},
		Case{Name: "variable_twice_off_then_on", machine: off, edit: measuring(inserting(on, isSeparator7))},
		Case{Name: "other_vendor", edit: state(ShimLock(), 1)},
		Case{Name: "value_2", edit: state(GlobalVariable(), 2)},
		Case{Name: "value_empty", edit: state(GlobalVariable())},
		Case{Name: "value_of_two_bytes", edit: state(GlobalVariable(), 1, 0)},
		Case{Name: "after_separator", edit: measuring(func(events []Event) []Event {
			i := slices.IndexFunc(events, isState)
			state := events[i]
			events = slices.Delete(slices.Clone(events), i, i+1)
			sep := slices.IndexFunc(events, isSeparator7)
			return slices.Insert(events, sep+1, state)
		})},
		Case{Name: "appended_by_the_owner", machine: off, edit: measuring(func(events []Event) []Event {
			return append(slices.Clone(events), on)
		})},
		Case{Name: "separator_missing", edit: measuring(dropping(isSeparator7))},
		Case{Name: "separator_twice", edit: measuring(inserting(separator(7), isSeparator7))},
		Case{
			Name: "no_dbx", Want: "accepted: secure boot is enabled and dbx is empty",
			machine: Machine{Boot: Boot{NoDBX: true}},
		},
		Case{
			Name: "owners_db", Want: "accepted: db has two certificates, one of the owner",
			machine: Machine{Boot: Boot{OwnerDB: true}},
		},
		Case{
			Name: "mok_validation_disabled", Want: "accepted: secure boot is enabled and shim's validation is disabled",
			machine: Machine{Boot: Boot{ValidationDisabled: true}},
		},
		Case{
			Name: "off", Want: "accepted: secure boot is disabled",
			machine: off,
		},
		Case{
			Name: "no_variables", Want: "accepted: no claim says whether secure boot is enabled",
			machine: Machine{Boot: Boot{SecureBoot: SecureBootAbsent}},
		},
	)
}

func isSeparator7(e Event) bool { return e.PCR == 7 && e.Type == EvSeparator }
