# METADATA
# title: Machines of ours may have what they ask for
# description: |
#   A policy decides over verified claims: `attestctl verify -o json` shows them.
#   allow must be true and deny empty; everything else denies. What differs between
#   places stands in config.yaml and is read here as data.config.
package attest

import data.attestctl.boot
import data.attestctl.evidence
import data.attestctl.gce
import data.attestctl.message

default allow := false

# METADATA
# title: All conditions hold
# description: |
#   Each is positive, so that a claim that is absent never passes. To demand more,
#   add a condition here and a rule of deny that says why.
allow if {
	evidence.known_schema
	evidence.no_check_switched_off
	gce.certified
	ours
	on_hardware
	boot.complete
	boot.secure_boot_on
	boot.firmware_not_debugged
}

# METADATA
# title: The machine is in one of our projects
# description: Without this line everybody's genuine machine would do.
# custom:
#   claim: submods.gce.project_id
ours if input.submods.gce.project_id in data.config.project_ids

# METADATA
# title: The hardware is one of those that will do
# custom:
#   claim: hwmodel
on_hardware if input.hwmodel in data.config.hwmodels

# METADATA
# title: Not a machine of ours
# description: Rules of deny give the reasons; explain shows them with their titles.
deny contains {"code": "project", "msg": message.one_of(["submods", "gce", "project_id"], "project_ids")} if not ours

# METADATA
# title: Other hardware than will do
deny contains {"code": "hardware", "msg": message.one_of(["hwmodel"], "hwmodels")} if not on_hardware

# METADATA
# title: The boot is not fully accounted for
deny contains {"code": "boot", "msg": message.wants(["boot", "complete"], "true, with PCRs 0 to 9 and 14 quoted")} if {
	not boot.complete
}

# METADATA
# title: Secure Boot was off
deny contains {"code": "secure-boot", "msg": message.wants(["secboot"], "true")} if not boot.secure_boot_on

# METADATA
# title: Firmware was being debugged
deny contains {"code": "firmware-debug", "msg": message.wants(["boot", "uefi_debug"], "false")} if {
	not boot.firmware_not_debugged
}
