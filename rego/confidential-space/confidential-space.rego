# METADATA
# title: A workload of ours in Confidential Space
# description: |
#   Evidence of a Confidential Space machine: in whose project, on what hardware,
#   from which image it booted, and which container it launched, with what the
#   operator changed. The launch is measured by software, and the owner of any
#   other machine can measure the same: the container's claims count only because
#   Secure Boot keys and PCRs 4 and 8 are pinned beside them. Where the
#   configuration says so, a token of Google will do as well: then Google has
#   judged the boot, and says so in dbgstat and support attributes.
package attest

import data.attestctl.boot
import data.attestctl.config
import data.attestctl.container
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message
import data.attestctl.tee
import data.attestctl.token

_settings := {
	"ak_roots": {"kind": "sha256s", "required": false, "what": "the root certificates AKs may chain to"},
	"args": {"kind": "argument_lists", "required": false, "what": "the arguments the workload may run with"},
	"cmd_overrides": {"kind": "argument_lists", "required": false, "what": "what the operator may replace them by"},
	"debug_images": {"kind": "flag", "required": false, "what": "whether debug images will do"},
	"env_overrides": {"kind": "values_by_name", "required": false, "what": "the variables the operator may set"},
	"google_tokens": {"kind": "flag", "required": false, "what": "whether a token of Google will do"},
	"hwmodels": {"kind": "names", "required": true, "what": "the technologies that will do, as in [\"GCP_AMD_SEV\"]"},
	"image_digests": {"kind": "image_digests", "required": true, "what": "the container images that may have the secret"},
	"pcrs": {
		"kind": "pcrs",
		"required": _boot_required,
		"what": "the values of PCR 4 and 8 of the Confidential Space images",
	},
	"project_ids": {"kind": "names", "required": true, "what": "the projects of the instances"},
	"restart_policies": {"kind": "names", "required": true, "what": "some of Never, OnFailure and Always"},
	"secure_boot_db": {
		"kind": "sha256s",
		"required": _boot_required,
		"what": "the certificates that sign Container-Optimized OS",
	},
	"secure_boot_pk": {"kind": "sha256s", "required": _boot_required, "what": "the platform keys that may own db"},
	"service_accounts": {"kind": "names", "required": false, "what": "the service accounts that a token must name"},
	"support_attributes": {"kind": "names", "required": false, "what": "how Google must support the image of a token"},
	"tee_bound_to": {"kind": "bindings", "required": false, "what": "all that an SEV-SNP report must be made for"},
	"unexplained_pcrs": {"kind": "pcr_indexes", "required": false, "what": "the PCRs that the event log need not explain"},
	"zones": {"kind": "names", "required": false, "what": "the zones of the instances"},
}

default allow := false

# METADATA
# title: The workload may have what it asks for, by what was measured
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
	boot.pcrs_match(data.config.pcrs)
	image_accepted
	ours
}

# METADATA
# title: The workload may have what it asks for, by the word of Google
# description: Every condition is named; nothing is allowed for want of a reason to deny.
# custom:
#   claim: those of the rules below
allow if {
	vouched
	token.secure_boot_on
	debugging_accepted
	support_accepted
	ours
}

# METADATA
# title: A workload as the configuration wants it
# description: What is asked of all evidence, with one meaning whatever it was proven from.
# custom:
#   claim: those of the rules below
ours if {
	evidence.known_schema
	evidence.no_check_switched_off
	evidence.asked_for
	gce.in_project(data.config.project_ids)
	zone_accepted
	gce.on_hardware(data.config.hwmodels)
	service_account_accepted
	container.launched
	container.image_in(data.config.image_digests)
	container.restart_policy_in(data.config.restart_policies)
	args_accepted
	container.cmd_overridden_by(config.get("cmd_overrides", []))
	container.env_overridden_by(config.get("env_overrides", {}))
}

# METADATA
# title: The configuration can be decided with
# description: It is what the table asks for, and pins the PCRs that the workload's claims rest on, or is for tokens.
configured if {
	well_formed
	_boot_pinned
}

_boot_pinned if not config.has("pcrs")

_boot_pinned if {
	boot.pins_pcr(data.config.pcrs, "4")
	boot.pins_pcr(data.config.pcrs, "8")
}

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Nobody but its user knows whose workloads are meant.
# custom:
#   code: config
#   claim: data.config
deny contains problem if {
	not well_formed
	some problem in config.problems(_settings)
}

# METADATA
# title: The policy does not pin the boot
# description: |
#   PCR 4 says what was started and PCR 8 with which command line, in which a
#   Confidential Space image names the root hash of its file system.
# custom:
#   code: config-pcrs
#   claim: data.config
deny contains {
	"code": "config-pcrs",
	"msg": "config: pcrs must pin PCR 4 and PCR 8; without them anybody can forge what the container claims",
} if {
	well_formed
	not _boot_pinned
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
	not zone_accepted
}

# METADATA
# title: The zone is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: submods.gce.zone
zone_accepted if not config.has("zones")

zone_accepted if gce.in_zone(data.config.zones)

# METADATA
# title: Other hardware than will do
# description: SEV-SNP and TDX give this claim only with a verified hardware report.
# custom:
#   code: hardware
#   claim: hwmodel
deny contains {"code": "hardware", "msg": message.one_of(["hwmodel"], "hwmodels")} if {
	configured
	not gce.on_hardware(data.config.hwmodels)
}

# METADATA
# title: The hardware report may be that of another machine
# description: |
#   Its operator can put the report of a genuine SEV-SNP or TDX guest beside the
#   vTPM of any other machine. On TDX the container is measured into the report, so
#   that there it must be bound to the key of the vTPM, whose quote pins the boot.
# custom:
#   code: tee-binding
#   claim: tee.bound_to
deny contains {
	"code": "tee-binding",
	"msg": message.wants(["tee", "bound_to"], sprintf("all of %v", [_tee_bound_to])),
} if {
	measured
	is_string(input.hwmodel)
	not tee_binding_accepted
}

default _tee_bound_to := ["nonce", "ak"]

_tee_bound_to := data.config.tee_bound_to if {
	config.has("tee_bound_to")
	input.hwmodel == "GCP_AMD_SEV_SNP"
}

# METADATA
# title: The hardware report was made for this machine, or the technology has none
# description: Of any technology but those that have none, the report must be bound.
# custom:
#   claim: tee.bound_to, hwmodel
tee_binding_accepted if gce.on_hardware({"GCP_SHIELDED_VM", "GCP_AMD_SEV", "GCP_AMD_SEV_ES"})

tee_binding_accepted if tee.bound_to(_tee_bound_to)
