# METADATA
# title: A machine of ours that measured what we expect
# description: |
#   PCR values and what the event log says are compared with reference values of
#   the configuration. Whose machine it is must be said too: anybody can boot the
#   same image and measure the same. A value that the machine's owner could forge
#   after boot is compared only where the PCR that holds it is pinned as well.
package attest

import data.attestctl.boot
import data.attestctl.config
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message

_settings := {
	"ak_keys": {"kind": "sha256s", "required": false, "what": "the attestation keys of the machines (key_sha256)"},
	"command_lines": {"kind": "names", "required": false, "what": "the kernel command lines, whole; pcrs must pin PCR 8"},
	"efi_apps": {"kind": "digests", "required": false, "what": "the EFI applications that may run; pcrs must pin PCR 4"},
	"pcrs": {"kind": "pcrs", "required": true, "what": "the values that PCRs may hold"},
	"project_ids": {"kind": "names", "required": false, "what": "the Compute Engine projects of the machines"},
	"secure_boot_db": {"kind": "sha256s", "required": false, "what": "the certificates that may sign what boots"},
	"unexplained_pcrs": {"kind": "pcr_indexes", "required": false, "what": "the PCRs that the event log need not explain"},
}

default allow := false

# METADATA
# title: The machine may have what it asks for
# description: Every condition is named; nothing is allowed for want of a reason to deny.
# custom:
#   claim: those of the rules below
allow if {
	configured
	evidence.known_schema
	evidence.no_check_switched_off
	evidence.asked_for
	identity_accepted
	boot.complete
	boot.explained_but_for(config.get("unexplained_pcrs", []))
	boot.pcrs_match(data.config.pcrs)
	efi_apps_accepted
	command_line_accepted
	signature_db_accepted
}

# METADATA
# title: The configuration can be decided with
# description: It is what the table asks for, says whose machines are meant, and pins what it reads.
configured if {
	well_formed
	_machines_named
	_reads_only_pinned
}

_machines_named if config.has("project_ids")

_machines_named if config.has("ak_keys")

_reads_only_pinned if {
	_pinned_if_read("efi_apps", "4")
	_pinned_if_read("command_lines", "8")
}

_pinned_if_read(setting, _) if not config.has(setting)

_pinned_if_read(_, index) if boot.pins_pcr(data.config.pcrs, index)

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Nobody but its user knows what the machines should measure.
# custom:
#   code: config
#   claim: data.config
deny contains problem if {
	not well_formed
	some problem in config.problems(_settings)
}

# METADATA
# title: The policy does not say whose machines
# description: The reference values of an image are the same on everybody's machine.
# custom:
#   code: config-identity
#   claim: data.config
deny contains {
	"code": "config-identity",
	"msg": "config: set project_ids or ak_keys; anybody's machine can measure the same values",
} if {
	well_formed
	not _machines_named
}

# METADATA
# title: The policy reads what it does not pin
# description: |
#   The list of EFI applications and the command line can be forged after boot,
#   except that the PCR then has another value.
# custom:
#   code: config-unpinned
#   claim: data.config
deny contains {
	"code": "config-unpinned",
	"msg": "config: efi_apps needs PCR 4 in pcrs, and command_lines PCR 8; without, the machine's owner can forge them",
} if {
	well_formed
	not _reads_only_pinned
}

# METADATA
# title: Claims of another version
# description: Another version may mean something else by the same names.
# custom:
#   code: claims-schema
#   claim: schema
deny contains {"code": "claims-schema", "msg": message.wants(["schema"], "\"attestctl.claims/v1\"")} if {
	configured
	not evidence.known_schema
}

# METADATA
# title: A check was switched off
# description: The verifier marks evidence that it accepted under an --insecure option.
# custom:
#   code: insecure-options
#   claim: insecure
deny contains {"code": "insecure-options", "msg": message.wants(["insecure"], "no --insecure option in force")} if {
	configured
	not evidence.no_check_switched_off
}

# METADATA
# title: Evidence that nobody asked for
# description: Logged evidence carries the nonce of its log, so that it may be of any time.
# custom:
#   code: logged
#   claim: nonce_source
deny contains {"code": "logged", "msg": message.wants(["nonce_source"], "\"expected\", or \"none\" of a token")} if {
	configured
	not evidence.asked_for
}

# METADATA
# title: A token where measurements are wanted
# description: Google has seen them, and a token says nothing that reference values could be compared with.
# custom:
#   code: token
#   claim: token
deny contains {"code": "token", "msg": message.wants(["tpm"], "measurements, which no token carries")} if {
	configured
	evidence.only_a_token
}

# METADATA
# title: The evidence is judged by its measurements
# description: All but a token alone, which has none.
measured if {
	configured
	not evidence.only_a_token
}

# METADATA
# title: Not a machine of ours
# description: Neither does Google certify it as one of the projects', nor is its key one of those listed.
# custom:
#   code: identity
#   claim: submods.gce.project_id, tpm.ak.key_sha256
deny contains {"code": "identity", "msg": sprintf("%s; %s", [
	message.one_of(["submods", "gce", "project_id"], "project_ids"),
	message.one_of(["tpm", "ak", "key_sha256"], "ak_keys"),
])} if {
	measured
	not identity_accepted
}

# METADATA
# title: The machine is of a project, or has a key, that is configured
# description: One of the two will do, so that machines with and without a certificate can share a policy.
# custom:
#   claim: submods.gce.project_id, tpm.ak.key_sha256
identity_accepted if {
	gce.certified
	gce.in_project(data.config.project_ids)
}

identity_accepted if input.tpm.ak.key_sha256 in data.config.ak_keys
