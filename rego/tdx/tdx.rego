# METADATA
# title: A TDX domain of ours, on a platform that will do
# description: |
#   Evidence with a verified quote of the hardware: what was built and started, what
#   its host may do, how current the platform is by Intel's collateral, and that the
#   quote was made for this request and for the key beside it. The quote may come
#   with one of the vTPM, or alone. What the policy does not check stands in README.md.
package attest

import data.attestctl.config
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message
import data.attestctl.tdx
import data.attestctl.tee

_settings := {
	"accept_advisories": {"kind": "names", "required": false, "what": "the IDs of advisories to live with"},
	"ak_keys": {"kind": "sha256s", "required": false, "what": "the attestation keys of the machines (key_sha256)"},
	"any_machine": {"kind": "flag", "required": false, "what": "whether anybody's machine is meant"},
	"attributes": {"kind": "td_attributes", "required": false, "what": "what attributes must be instead of the default"},
	"bound_to": {"kind": "bindings", "required": false, "what": "all that the quote must be made for"},
	"fmspcs": {"kind": "fmspcs", "required": false, "what": "the kinds of platforms"},
	"max_collateral_age": {"kind": "seconds", "required": false, "what": "how long ago the collateral may be issued"},
	"min_tcb_evaluation_data_number": {"kind": "count", "required": false, "what": "the least round of Intel's updates"},
	"min_tee_tcb_svn": {"kind": "tcb_svn", "required": false, "what": "the least TCB of the TDX module, byte by byte"},
	"mrconfigids": {"kind": "sha384s", "required": false, "what": "the configuration IDs"},
	"mrownerconfigs": {"kind": "sha384s", "required": false, "what": "the configurations of the owner"},
	"mrowners": {"kind": "sha384s", "required": false, "what": "the owners of the domains"},
	"mrseams": {"kind": "measurements", "required": false, "what": "the TDX modules"},
	"mrsignerseams": {"kind": "sha384s", "required": false, "what": "who may sign TDX modules, if not Intel"},
	"mrtds": {"kind": "measurements", "required": true, "what": "the measurements of the domains"},
	"platform_instance_ids": {"kind": "ids", "required": false, "what": "the platforms of the machines"},
	"ppid_sha256s": {"kind": "sha256s", "required": false, "what": "the processors of the machines"},
	"project_ids": {"kind": "names", "required": false, "what": "the Compute Engine projects of the machines"},
	"rtmrs": {"kind": "rtmrs", "required": false, "what": "the values of run-time registers"},
	"tcb_statuses": {"kind": "tcb_statuses", "required": false, "what": "how current the platform must be"},
	"xfams": {"kind": "hex64s", "required": false, "what": "the extended features"},
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
	tee.is_type("TDX")
	tee.bound_to(_bound_to)
	project_accepted
	ak_key_accepted
	tdx.mrtd_in(data.config.mrtds)
	tdx.rtmrs_match(_rtmrs)
	tdx.not_debugged
	tdx.attributes_are(_attributes)
	xfam_accepted
	mrconfigid_accepted
	mrowner_accepted
	mrownerconfig_accepted
	mrseam_accepted
	tdx.module_signer_in(_mrsignerseams)
	tdx.plain_module
	tdx.status_in(_tcb_statuses)
	tdx.advised_only_of(_advisories)
	evaluation_accepted
	collateral_age_accepted
	tcb_svn_accepted
	fmspc_accepted
	platform_instance_accepted
	ppid_accepted
}

_bound_to := config.get("bound_to", ["nonce", "ak"])

_rtmrs := config.get("rtmrs", {})

# Attributes that attributes does not name are as here.
_attributes := object.union(
	{"sept_ve_disable": true, "migratable": false, "perfmon": false},
	config.get("attributes", {}),
) if {
	configured
}

_intel := "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

_mrsignerseams := config.get("mrsignerseams", [_intel])

_tcb_statuses := config.get("tcb_statuses", ["UpToDate"])

_advisories := config.get("accept_advisories", [])

# METADATA
# title: The configuration can be decided with
# description: It is what the table asks for, says whose machines are meant, and asks for no claim that proves nothing.
configured if {
	well_formed
	_machines_named
	_identity_bound
}

_machines_named if config.has("project_ids")

_machines_named if config.has("ak_keys")

_machines_named if config.has("platform_instance_ids")

_machines_named if config.has("ppid_sha256s")

_machines_named if data.config.any_machine == true

_identity_bound if "ak" in _bound_to

_identity_bound if {
	not config.has("project_ids")
	not config.has("ak_keys")
}

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Nobody but its user knows what was to be built, and on what.
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
	"msg": "config: set project_ids, ak_keys, platform_instance_ids or ppid_sha256s, or any_machine to true",
} if {
	well_formed
	not _machines_named
}

# METADATA
# title: The policy takes the quote for that of a machine which it is not bound to
# description: project_ids and ak_keys are about the vTPM; without ak the quote beside it may be another machine's.
# custom:
#   code: config-unbound
#   claim: data.config
deny contains {
	"code": "config-unbound",
	"msg": "config: project_ids and ak_keys need ak in bound_to; without it the quote may be that of another machine",
} if {
	well_formed
	not _identity_bound
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
# title: A token where a quote is wanted
# description: Google may have seen one; what was in it, and what it was made for, no token says.
# custom:
#   code: token
#   claim: token
deny contains {"code": "token", "msg": message.wants(["tee"], "a quote of the hardware, which no token carries")} if {
	configured
	evidence.only_a_token
}

# METADATA
# title: No quote of TDX hardware
# description: What an event log says of the technology is no quote. The rules on what is in it are silent then.
# custom:
#   code: tee-type
#   claim: tee.type
deny contains {"code": "tee-type", "msg": message.wants(["tee", "type"], "\"TDX\"")} if {
	configured
	not evidence.only_a_token
	not tee.is_type("TDX")
}

# METADATA
# title: The quote was made for something else
# description: One that is not bound to nonce may be old, and one that is not bound to ak another machine's.
# custom:
#   code: bound-to
#   claim: tee.bound_to
deny contains {
	"code": "bound-to",
	"msg": message.wants(["tee", "bound_to"], sprintf("all of bound_to: %v", [_bound_to])),
} if {
	configured
	tee.is_type("TDX")
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
# description: The quote is bound to the key of the vTPM, so that the key says which machine it is.
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
