# METADATA
# title: How the machine booted
# description: |
#   What the replayed event log proves. Claims that boot.forgeable names can be
#   added to by whoever controls the machine after boot: rules here read them
#   either for what must not be there, which nobody can take out of a PCR, or
#   under a name that says a PCR has to be pinned beside it.
package attestctl.boot

# METADATA
# title: The boot is fully accounted for
# description: |
#   The log explains PCRs 0 to 9 and 14, and each was quoted, also where the
#   caller of the verifier asked for fewer (--require-pcrs).
# custom:
#   claim: boot.complete
complete if {
	input.boot.complete == true
	every index in {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "14"} {
		is_string(input.tpm.pcrs[input.boot.bank][index])
	}
}

# METADATA
# title: No PCR holds what the log does not explain, but for these
# description: |
#   The claim is absent where every PCR is explained. Linux IMA extends PCR 10 and
#   systemd 11 to 13 and 15 without an event.
# custom:
#   claim: boot.unexplained_pcrs
explained_but_for(indexes) if {
	complete
	is_array(_unexplained)
	every index in _unexplained {
		index in indexes
	}
}

default _unexplained := []

_unexplained := input.boot.unexplained_pcrs

# METADATA
# title: Firmware was not in debug mode
# description: Firmware measures it when it is (PFP 1.06, 3.3.4.8); the claim is always there with a log.
# custom:
#   claim: boot.uefi_debug
firmware_not_debugged if input.boot.uefi_debug == false

# METADATA
# title: DMA protection was not disabled
# description: Firmware measures it when it was; the claim is always there with a log.
# custom:
#   claim: boot.dma_protection_disabled
dma_protected if input.boot.dma_protection_disabled == false

# METADATA
# title: Secure Boot was on
# description: |
#   On its own this says that somebody's key signed what booted. Whose, say
#   secure_boot_keys_in and vouched_by.
# custom:
#   claim: boot.secure_boot.enabled
secure_boot_on if {
	input.secboot == true
	input.boot.secure_boot.enabled == true
}

# METADATA
# title: The platform key is one of these
# description: SHA-256 digests of certificates in DER, in hex. Whoever owns PK decides over db.
# custom:
#   claim: boot.secure_boot.pk
platform_key_in(fingerprints) if _certificates_in(input.boot.secure_boot.pk, fingerprints)

# METADATA
# title: db holds none but these keys
# description: |
#   An entry that is no certificate, such as the hash of a single image, is not
#   one of these. Fewer keys than listed are fine: they let less boot.
# custom:
#   claim: boot.secure_boot.db
signature_db_in(fingerprints) if _certificates_in(input.boot.secure_boot.db, fingerprints)

# METADATA
# title: Revocations are in force
# description: dbx holds hashes. It does not say that they are the latest.
# custom:
#   claim: boot.secure_boot.dbx
revocations_present if {
	is_array(input.boot.secure_boot.dbx.hashes)
	some _ in input.boot.secure_boot.dbx.hashes
	every hash in input.boot.secure_boot.dbx.hashes {
		is_string(hash)
	}
}

# METADATA
# title: Only these keys, or shim's own, accepted what booted
# description: |
#   Shim measures the key it used: a machine owner key, enrolled by whoever had the
#   console, shows as MokList and is refused. The claim is forgeable, but only by
#   adding to it.
# custom:
#   claim: boot.secure_boot.authority
vouched_by(fingerprints) if {
	is_array(input.boot.secure_boot.authority)
	some _ in input.boot.secure_boot.authority
	every authority in input.boot.secure_boot.authority {
		_vouches(authority, fingerprints)
	}
}

_vouches(authority, fingerprints) if {
	authority.variable == "db"
	authority.sha256 in fingerprints
}

_vouches(authority, _) if {
	authority.variable == "Shim"
	is_string(authority.sha256)
}

# METADATA
# title: Shim was not told to skip its checks
# description: |
#   With MokSBState set, shim starts any kernel although Secure Boot is on. Shim
#   measures it into PCR 7 and 14 when it is set; that the claim is absent says
#   something only where both are accounted for.
# custom:
#   claim: boot.secure_boot.mok.validation_disabled
shim_validates if {
	complete
	is_object(_mok)
	_validation_disabled == false
}

default _mok := {}

_mok := input.boot.secure_boot.mok

default _validation_disabled := false

_validation_disabled := input.boot.secure_boot.mok.validation_disabled

# METADATA
# title: PCRs hold reference values
# description: |
#   pins is {bank: {index: [value, ...]}}. Every PCR that it names must hold one of
#   its values.
# custom:
#   claim: tpm.pcrs
pcrs_match(pins) if {
	some _ in pins
	every bank, registers in pins {
		some _ in registers
		every index, values in registers {
			pcr_in(bank, index, values)
		}
	}
}

# METADATA
# title: A PCR holds one of these values
# description: Also false where the bank was not verified or the PCR not quoted.
# custom:
#   claim: tpm.pcrs
pcr_in(bank, index, values) if {
	bank in input.tpm.banks
	input.tpm.pcrs[bank][index] in values
}

# METADATA
# title: Reference values pin a PCR
# description: Whether pins, as for pcrs_match, names the PCR in at least one bank.
pins_pcr(pins, index) if {
	some registers in pins
	is_array(registers[index])
}

# METADATA
# title: The kernel command line is one of these; pin PCR 8 beside it
# description: Without PCR 8 pinned this is forgeable, as boot.forgeable says.
# custom:
#   claim: boot.kernel.command_line
command_line_in(lines) if input.boot.kernel.command_line in lines

# METADATA
# title: The kernel command line has this word; pin PCR 8 beside it
# description: Without PCR 8 pinned this is forgeable, as boot.forgeable says.
# custom:
#   claim: boot.kernel.command_line
command_line_has(word) if {
	is_string(input.boot.kernel.command_line)
	word in split(input.boot.kernel.command_line, " ")
}

# METADATA
# title: Every EFI application is one of these; pin PCR 4 beside it
# description: Without PCR 4 pinned this is forgeable, as boot.forgeable says. Digests are those of boot.bank.
# custom:
#   claim: boot.efi_apps
efi_apps_in(digests) if {
	is_array(input.boot.efi_apps)
	some _ in input.boot.efi_apps
	every app in input.boot.efi_apps {
		app.digest in digests
	}
}

_certificates_in(database, fingerprints) if {
	is_array(database.certificates)
	some _ in database.certificates
	every certificate in database.certificates {
		certificate.sha256 in fingerprints
	}
	_entries(database, "hashes") == []
	_entries(database, "other") == []
}

default _entries(_, _) := []

_entries(database, list) := database[list]
