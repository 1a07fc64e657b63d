# METADATA
# title: An SEV-SNP guest of ours, on a platform that will do
# description: |
#   Evidence with a verified attestation report of the hardware: what was launched,
#   what its host may do, on which platform, and that the report was made for this
#   request and for the key beside it. The report may come with a quote of the
#   vTPM, or alone. What the policy does not check stands in README.md.
package attest

import data.attestctl.config
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message
import data.attestctl.snp
import data.attestctl.tee

_settings := {
	"accept_known_breaks": {"kind": "names", "required": false, "what": "the breaks to live with, as milan-vcek-seed"},
	"accept_unknown_platform_bits": {"kind": "bits", "required": false, "what": "platform bits that have no name"},
	"ak_keys": {"kind": "sha256s", "required": false, "what": "the attestation keys of the machines (key_sha256)"},
	"allow_masked_chip": {"kind": "flag", "required": false, "what": "whether the host may hide the chip"},
	"allow_migration": {"kind": "flag", "required": false, "what": "whether a migration agent will do"},
	"allow_provisional": {"kind": "flag", "required": false, "what": "whether firmware that can be undone will do"},
	"allow_unchecked_revocation": {"kind": "flag", "required": false, "what": "whether to do without AMD's list"},
	"any_machine": {"kind": "flag", "required": false, "what": "whether anybody's machine is meant"},
	"author_key_digests": {"kind": "measurements", "required": false, "what": "the keys that vouch for the ID keys"},
	"bound_to": {"kind": "bindings", "required": false, "what": "all that the report must be made for"},
	"chip_ids": {"kind": "chip_ids", "required": false, "what": "the processors of the machines"},
	"csp_ids": {"kind": "names", "required": false, "what": "the cloud providers whose VLEK will do"},
	"family_ids": {"kind": "ids", "required": false, "what": "the family IDs of the ID block"},
	"guest_policy": {"kind": "guest_policy", "required": false, "what": "what the guest policy must say"},
	"host_data": {"kind": "sha256s", "required": false, "what": "the host data that guests may be launched with"},
	"id_key_digests": {"kind": "measurements", "required": false, "what": "the keys that sign ID blocks"},
	"image_ids": {"kind": "ids", "required": false, "what": "the image IDs of the ID block"},
	"launch_tcb_floors": {"kind": "tcb_floors", "required": false, "what": "the least TCB to be launched on"},
	"measurements": {"kind": "measurements", "required": true, "what": "the launch digests of the guests"},
	"min_guest_svn": {"kind": "count", "required": false, "what": "the least version by the ID block"},
	"platform": {"kind": "platform", "required": false, "what": "what the platform must say"},
	"project_ids": {"kind": "names", "required": false, "what": "the Compute Engine projects of the machines"},
	"signing_keys": {"kind": "signing_keys", "required": false, "what": "the kinds of keys that may sign reports"},
	"tcb_floors": {"kind": "tcb_floors", "required": true, "what": "the products that will do, with their least TCB"},
	"vmpls": {"kind": "vmpls", "required": false, "what": "the privilege levels that may ask for reports"},
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
	tee.is_type("SEV_SNP")
	tee.bound_to(_bound_to)
	project_accepted
	ak_key_accepted
	chip_accepted
	snp.measurement_in(data.config.measurements)
	snp.at_vmpl(_vmpls)
	snp.not_debugged
	migration_accepted
	snp.policy_is(_guest_policy)
	host_data_accepted
	id_key_accepted
	author_key_accepted
	family_id_accepted
	image_id_accepted
	guest_svn_accepted
	tcbs_accepted
	provisional_accepted
	signing_key_accepted
	csp_accepted
	masked_chip_accepted
	snp.platform_is(_platform)
	snp.platform_known_but_for(_unknown_platform_bits)
	revocation_accepted
	snp.unbroken_but_for(_known_breaks)
}

_bound_to := config.get("bound_to", ["nonce", "ak"])

_vmpls := config.get("vmpls", [0])

_guest_policy := config.get("guest_policy", {})

_floors := data.config.tcb_floors if configured

_products := sort(object.keys(_floors))

# The floors of products that it does not name are those of tcb_floors.
_launch_floors := object.union(_floors, config.get("launch_tcb_floors", {})) if configured

_signing_keys := config.get("signing_keys", ["VCEK"])

_platform := config.get("platform", {})

_unknown_platform_bits := config.get("accept_unknown_platform_bits", [])

_known_breaks := config.get("accept_known_breaks", [])

# METADATA
# title: The configuration can be decided with
# description: It is what the table asks for, says whose machines are meant, and asks for no claim that proves nothing.
configured if {
	well_formed
	_machines_named
	_identity_bound
	_providers_named
	_floors_used
}

_machines_named if config.has("project_ids")

_machines_named if config.has("ak_keys")

_machines_named if config.has("chip_ids")

_machines_named if data.config.any_machine == true

_identity_bound if "ak" in _bound_to

_identity_bound if {
	not config.has("project_ids")
	not config.has("ak_keys")
}

_providers_named if not "VLEK" in _signing_keys

_providers_named if config.has("csp_ids")

_floors_used if {
	every product, _ in config.get("launch_tcb_floors", {}) {
		product in object.keys(data.config.tcb_floors)
	}
}

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Nobody but its user knows what was to be launched, and on what.
# custom:
#   code: config
#   claim: data.config
deny contains problem if {
	not well_formed
	some problem in config.problems(_settings)
}

# METADATA
# title: The policy does not say whose machines
# description: The measurement of a cloud's firmware is the same for all of its customers.
# custom:
#   code: config-identity
#   claim: data.config
deny contains {
	"code": "config-identity",
	"msg": "config: set project_ids, ak_keys or chip_ids, or any_machine to true if the measurement alone says enough",
} if {
	well_formed
	not _machines_named
}

# METADATA
# title: The policy takes the report for that of a machine which it is not bound to
# description: project_ids and ak_keys are about the vTPM; without ak the report beside it may be another machine's.
# custom:
#   code: config-unbound
#   claim: data.config
deny contains {
	"code": "config-unbound",
	"msg": "config: project_ids and ak_keys need ak in bound_to; without it the report may be that of another machine",
} if {
	well_formed
	not _identity_bound
}

# METADATA
# title: The policy does not say whose VLEK
# description: A VLEK is the key of a cloud provider; which chip signed, it does not say.
# custom:
#   code: config-csp
#   claim: data.config
deny contains {"code": "config-csp", "msg": "config: VLEK in signing_keys needs csp_ids"} if {
	well_formed
	not _providers_named
}

# METADATA
# title: The policy has floors for a product that it does not accept
# description: Products are those in tcb_floors; a floor for another is not enforced.
# custom:
#   code: config-floors
#   claim: data.config
deny contains {
	"code": "config-floors",
	"msg": "config: launch_tcb_floors names a product that tcb_floors does not, so that it is not accepted at all",
} if {
	well_formed
	not _floors_used
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
# title: A token where a report is wanted
# description: Google may have seen one; what was in it, and what it was made for, no token says.
# custom:
#   code: token
#   claim: token
deny contains {"code": "token", "msg": message.wants(["tee"], "a report of the hardware, which no token carries")} if {
	configured
	evidence.only_a_token
}

# METADATA
# title: No report of SEV-SNP hardware
# description: What an event log says of the technology is no report. The rules on what is in it are silent then.
# custom:
#   code: tee-type
#   claim: tee.type
deny contains {"code": "tee-type", "msg": message.wants(["tee", "type"], "\"SEV_SNP\"")} if {
	configured
	not evidence.only_a_token
	not tee.is_type("SEV_SNP")
}

# METADATA
# title: The report was made for something else
# description: One that is not bound to nonce may be old, and one that is not bound to ak another machine's.
# custom:
#   code: bound-to
#   claim: tee.bound_to
deny contains {
	"code": "bound-to",
	"msg": message.wants(["tee", "bound_to"], sprintf("all of bound_to: %v", [_bound_to])),
} if {
	configured
	tee.is_type("SEV_SNP")
	not tee.bound_to(_bound_to)
}

# METADATA
# title: A machine of another project
# description: A genuine machine, but Google does not certify it as one of ours.
# custom:
#   code: project
#   claim: submods.gce.project_id, tpm.ak.trust
deny contains {"code": "project", "msg": message.one_of(["submods", "gce", "project_id"], "project_ids")} if {
	configured
	not evidence.only_a_token
	not project_accepted
}

# METADATA
# title: Google certifies the machine as one of the projects configured
# description: Where none is configured, any will do.
# custom:
#   claim: submods.gce.project_id, tpm.ak.trust
project_accepted if not config.has("project_ids")

project_accepted if {
	gce.certified
	gce.in_project(data.config.project_ids)
}

# METADATA
# title: Another attestation key
# description: The report is bound to the key of the vTPM, so that the key says which machine it is.
# custom:
#   code: ak-key
#   claim: tpm.ak.key_sha256
deny contains {"code": "ak-key", "msg": message.one_of(["tpm", "ak", "key_sha256"], "ak_keys")} if {
	configured
	not evidence.only_a_token
	not ak_key_accepted
}

# METADATA
# title: The attestation key is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tpm.ak.key_sha256
ak_key_accepted if not config.has("ak_keys")

ak_key_accepted if input.tpm.ak.key_sha256 in data.config.ak_keys

# METADATA
# title: Another processor
# description: Against forged reports of a broken chip nothing helps but to know one's own.
# custom:
#   code: chip
#   claim: tee.snp.chip_id
deny contains {"code": "chip", "msg": message.one_of(["tee", "snp", "chip_id"], "chip_ids")} if {
	configured
	tee.is_type("SEV_SNP")
	not chip_accepted
}

# METADATA
# title: The processor is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.chip_id
chip_accepted if not config.has("chip_ids")

chip_accepted if input.tee.snp.chip_id in data.config.chip_ids
