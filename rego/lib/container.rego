# METADATA
# title: Workloads of Confidential Space
# description: |
#   What the launcher measured into PCR 13. The owner of a VM that runs anything
#   else can measure the same, so that none of this counts unless the boot is
#   pinned: Secure Boot keys, and PCRs 4 and 8.
package attestctl.container

# METADATA
# title: A complete launch was measured
# description: Absent or GCE where no launch log replays to the end.
# custom:
#   claim: swname
launched if input.swname == "CONFIDENTIAL_SPACE"

# METADATA
# title: The image is one of these
# description: Digests of the image's manifest, "sha256:" and hex.
# custom:
#   claim: submods.container.image_digest
image_in(digests) if input.submods.container.image_digest in digests

# METADATA
# title: The restart policy is one of these
# description: Always, OnFailure or Never.
# custom:
#   claim: submods.container.restart_policy
restart_policy_in(policies) if input.submods.container.restart_policy in policies

# METADATA
# title: The workload ran with one of these argument lists
# description: The whole list, in order, the image's entry point included.
# custom:
#   claim: submods.container.args
args_in(lists) if input.submods.container.args in lists

# METADATA
# title: The operator replaced no arguments, or by one of these lists
# description: The claim is absent where none were replaced.
# custom:
#   claim: submods.container.cmd_override
cmd_overridden_by(lists) if {
	is_object(input.submods.container)
	_replaced_by_one_of(lists)
}

_replaced_by_one_of(_) if _cmd_override == []

_replaced_by_one_of(lists) if _cmd_override in lists

default _cmd_override := []

_cmd_override := input.submods.container.cmd_override

# METADATA
# title: The operator set no environment variables but these
# description: |
#   allowed is {name: [value, ...]}. The claim is absent where none were set.
# custom:
#   claim: submods.container.env_override
env_overridden_by(allowed) if {
	is_object(input.submods.container)
	is_object(_env_override)
	every name, value in _env_override {
		value in allowed[name]
	}
}

default _env_override := {}

_env_override := input.submods.container.env_override
