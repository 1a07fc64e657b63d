# METADATA
# title: A Confidential VM of ours, booted as we mean it
# description: |
#   Evidence of a Compute Engine machine: which it is, on what hardware it runs,
#   and that its boot chain was signed by keys that the configuration names. Where
#   the configuration says so, a token of Google will do as well, which says only
#   that Secure Boot was on. What it does not check stands in README.md.
package attest

import data.attestctl.boot
import data.attestctl.config
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message
import data.attestctl.tee
import data.attestctl.token

_settings := {
	"ak_roots": {"kind": "sha256s", "required": false, "what": "the root certificates AKs may chain to"},
	"any_instance": {"kind": "flag", "required": false, "what": "whether every instance of the projects is meant"},
	"google_tokens": {"kind": "flag", "required": false, "what": "whether a token of Google will do"},
	"hwmodels": {"kind": "names", "required": false, "what": "the technologies that will do, as in [\"GCP_AMD_SEV\"]"},
	"instance_ids": {"kind": "names", "required": false, "what": "the IDs of the instances, in decimal"},
	"instance_names": {"kind": "names", "required": false, "what": "the names of the instances"},
	"project_ids": {"kind": "names", "required": true, "what": "the projects of the instances"},
	"secure_boot_db": {"kind": "sha256s", "required": _boot_required, "what": "the certificates that may sign what boots"},
	"secure_boot_pk": {"kind": "sha256s", "required": _boot_required, "what": "the platform keys that may own db"},
	"service_accounts": {"kind": "names", "required": false, "what": "the service accounts that a token must name"},
	"technology_floor": {"kind": "technology", "required": false, "what": "the weakest technology that will do"},
	"tee_bound_to": {"kind": "bindings", "required": false, "what": "all that a hardware report must be made for"},
	"unexplained_pcrs": {"kind": "pcr_indexes", "required": false, "what": "the PCRs that the event log need not explain"},
	"zones": {"kind": "names", "required": true, "what": "the zones of the instances"},
}

default allow := false

# METADATA
# title: The machine may have what it asks for, by what was measured
# description: Every condition is named; nothing is allowed for want of a reason to deny.
# custom:
#   claim: those of the rules below
allow if {
	measured
	gce.certified
	root_accepted
	tee_binding_accepted
	boot.complete
	boot.explained_but_for(config.get("unexplained_pcrs", []))
	boot.firmware_not_debugged
	boot.dma_protected
	boot.secure_boot_on
	boot.platform_key_in(data.config.secure_boot_pk)
	boot.signature_db_in(data.config.secure_boot_db)
	boot.revocations_present
	boot.vouched_by(data.config.secure_boot_db)
	boot.shim_validates
	ours
}

# METADATA
# title: The machine may have what it asks for, by the word of Google
# description: Every condition is named; nothing is allowed for want of a reason to deny.
# custom:
#   claim: those of the rules below
allow if {
	vouched
	token.secure_boot_on
	token.debugging_not_enabled
	ours
}

# METADATA
# title: A machine as the configuration wants it
# description: What is asked of all evidence, with one meaning whatever it was proven from.
# custom:
#   claim: those of the rules below
ours if {
	evidence.known_schema
	evidence.no_check_switched_off
	evidence.asked_for
	plain_compute_engine
	gce.in_project(data.config.project_ids)
	gce.in_zone(data.config.zones)
	instance_accepted
	hardware_accepted
	floor_reached
	service_account_accepted
}

# METADATA
# title: The configuration can be decided with
# description: It is what the table asks for, and says which instances and what hardware are meant.
configured if {
	well_formed
	_instances_named
	_hardware_named
}

_instances_named if config.has("instance_ids")

_instances_named if config.has("instance_names")

_instances_named if data.config.any_instance == true

_hardware_named if config.has("hwmodels")

_hardware_named if config.has("technology_floor")

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Nobody but its user knows whose machines are meant.
# custom:
#   code: config
#   claim: data.config
deny contains problem if {
	not well_formed
	some problem in config.problems(_settings)
}

# METADATA
# title: The policy does not say which instances
# description: All of a project is a choice to be made, not what is left when none was.
# custom:
#   code: config-instance
#   claim: data.config
deny contains {
	"code": "config-instance",
	"msg": "config: set instance_ids or instance_names, or any_instance to true if all of the projects' are meant",
} if {
	well_formed
	not _instances_named
}

# METADATA
# title: The policy does not say what hardware
# description: A Shielded VM is a choice to be made as well; its host reads all of its memory.
# custom:
#   code: config-hardware
#   claim: data.config
deny contains {
	"code": "config-hardware",
	"msg": "config: set technology_floor, or hwmodels if only some technologies will do",
} if {
	well_formed
	not _hardware_named
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
# title: Google does not vouch for the instance
# description: Project, zone and instance come from the AK certificate; a pinned key has none.
# custom:
#   code: ak-trust
#   claim: tpm.ak.trust
deny contains {
	"code": "ak-trust",
	"msg": message.wants(["tpm", "ak", "trust"], "\"certificate\", of a production instance of Google's"),
} if {
	measured
	not gce.certified
}

# METADATA
# title: The AK certificate chains to another root
# description: For those who know which of Google's roots, or of their own, it must be.
# custom:
#   code: ak-root
#   claim: tpm.ak.certificate.root_sha256
deny contains {"code": "ak-root", "msg": message.one_of(["tpm", "ak", "certificate", "root_sha256"], "ak_roots")} if {
	measured
	not root_accepted
}

# METADATA
# title: The root is one of those configured
# description: Where none is configured, the verifier's own trust decides.
# custom:
#   claim: tpm.ak.certificate.root_sha256
root_accepted if not config.has("ak_roots")

root_accepted if gce.rooted_in(data.config.ak_roots)

# METADATA
# title: Not plain Compute Engine
# description: Confidential Space has a policy of its own; what its machines run is not for this one to judge.
# custom:
#   code: software
#   claim: swname
deny contains {"code": "software", "msg": message.wants(["swname"], "\"GCE\"")} if {
	configured
	not plain_compute_engine
}

# METADATA
# title: Plain Compute Engine
# description: The claim is absent where a launch log was there and did not replay.
# custom:
#   claim: swname
plain_compute_engine if input.swname == "GCE"

# METADATA
# title: A machine of another project
# description: A genuine machine, but not one of ours.
# custom:
#   code: project
#   claim: submods.gce.project_id
deny contains {"code": "project", "msg": message.one_of(["submods", "gce", "project_id"], "project_ids")} if {
	configured
	not gce.in_project(data.config.project_ids)
}

# METADATA
# title: A machine in another zone
# description: Zones decide whose law and whose staff can reach the host.
# custom:
#   code: zone
#   claim: submods.gce.zone
deny contains {"code": "zone", "msg": message.one_of(["submods", "gce", "zone"], "zones")} if {
	configured
	not gce.in_zone(data.config.zones)
}

# METADATA
# title: Another instance of the project
# description: Where IDs or names are configured, the instance must be among them, in both if there are both.
# custom:
#   code: instance
#   claim: submods.gce.instance_id
deny contains {"code": "instance", "msg": sprintf("%s; %s", [
	message.one_of(["submods", "gce", "instance_id"], "instance_ids"),
	message.one_of(["submods", "gce", "instance_name"], "instance_names"),
])} if {
	configured
	not instance_accepted
}

# METADATA
# title: The instance is one of those configured
# description: It must have an ID and a name even where any will do.
# custom:
#   claim: submods.gce.instance_id
instance_accepted if {
	is_string(input.submods.gce.instance_id)
	is_string(input.submods.gce.instance_name)
	_id_accepted
	_name_accepted
}

_id_accepted if not config.has("instance_ids")

_id_accepted if gce.has_id(data.config.instance_ids)

_name_accepted if not config.has("instance_names")

_name_accepted if gce.has_name(data.config.instance_names)

# METADATA
# title: Other hardware than will do
# description: SEV-SNP and TDX give this claim only with a verified hardware report.
# custom:
#   code: hardware
#   claim: hwmodel
deny contains {"code": "hardware", "msg": message.one_of(["hwmodel"], "hwmodels")} if {
	configured
	not hardware_accepted
}

# METADATA
# title: The hardware is one of those configured
# description: Where none is configured, the floor decides alone.
# custom:
#   claim: hwmodel
hardware_accepted if not config.has("hwmodels")

hardware_accepted if gce.on_hardware(data.config.hwmodels)

# METADATA
# title: Weaker hardware than will do
# description: |
#   From weak to strong: GCP_SHIELDED_VM, GCP_AMD_SEV, GCP_AMD_SEV_ES, and side by
#   side GCP_AMD_SEV_SNP and GCP_INTEL_TDX. The claim is absent for those two
#   without a verified hardware report, and absent is below every floor.
# custom:
#   code: technology-floor
#   claim: hwmodel
deny contains {
	"code": "technology-floor",
	"msg": message.wants(["hwmodel"], sprintf("%v or stronger", [config.get("technology_floor", "unset")])),
} if {
	configured
	not floor_reached
}

# METADATA
# title: The hardware is at the floor or above it
# description: Where no floor is configured, the list of technologies decides alone.
# custom:
#   claim: hwmodel
floor_reached if not config.has("technology_floor")

floor_reached if gce.on_hardware(gce.technologies_from(data.config.technology_floor))

# METADATA
# title: The hardware report may be that of another machine
# description: |
#   A host can put the report of a genuine SEV-SNP or TDX guest beside the vTPM of
#   any other machine. Only a report that was made for the key of the vTPM is sure
#   to be of the machine that the rest of the evidence is about.
# custom:
#   code: tee-binding
#   claim: tee.bound_to
deny contains {
	"code": "tee-binding",
	"msg": message.wants(["tee", "bound_to"], sprintf("all of tee_bound_to: %v", [_tee_bound_to])),
} if {
	measured
	is_string(input.hwmodel)
	not tee_binding_accepted
}

_tee_bound_to := config.get("tee_bound_to", ["nonce", "ak"])

# METADATA
# title: The hardware report was made for this machine, or the technology has none
# description: Of any technology but those that have none, the report must be bound.
# custom:
#   claim: tee.bound_to, hwmodel
tee_binding_accepted if gce.on_hardware({"GCP_SHIELDED_VM", "GCP_AMD_SEV", "GCP_AMD_SEV_ES"})

tee_binding_accepted if tee.bound_to(_tee_bound_to)
