package attest

import data.attestctl.config
import data.attestctl.container
import data.attestctl.message

# METADATA
# title: Not a launch of Confidential Space
# description: No launch was measured, or none to its end.
# custom:
#   code: software
#   claim: swname
deny contains {"code": "software", "msg": message.wants(["swname"], "\"CONFIDENTIAL_SPACE\"")} if {
	configured
	not container.launched
}

# METADATA
# title: Another container image
# description: A tag can be moved to another image; a digest cannot.
# custom:
#   code: image
#   claim: submods.container.image_digest
deny contains {
	"code": "image",
	"msg": message.one_of(["submods", "container", "image_digest"], "image_digests"),
} if {
	configured
	not container.image_in(data.config.image_digests)
}

# METADATA
# title: Another restart policy
# description: A workload that restarts can be made to start over as often as its operator likes.
# custom:
#   code: restart-policy
#   claim: submods.container.restart_policy
deny contains {
	"code": "restart-policy",
	"msg": message.one_of(["submods", "container", "restart_policy"], "restart_policies"),
} if {
	configured
	not container.restart_policy_in(data.config.restart_policies)
}

# METADATA
# title: Other arguments
# description: For images whose behaviour depends on their arguments.
# custom:
#   code: args
#   claim: submods.container.args
deny contains {"code": "args", "msg": message.one_of(["submods", "container", "args"], "args")} if {
	configured
	not args_accepted
}

# METADATA
# title: The arguments are of those configured
# description: Where none are configured, the image's own and cmd_overrides decide.
# custom:
#   claim: submods.container.args
args_accepted if not config.has("args")

args_accepted if container.args_in(data.config.args)

# METADATA
# title: The operator replaced arguments
# description: None may be replaced but by a list that is configured.
# custom:
#   code: cmd-override
#   claim: submods.container.cmd_override
deny contains {
	"code": "cmd-override",
	"msg": message.one_of(["submods", "container", "cmd_override"], "cmd_overrides"),
} if {
	configured
	not container.cmd_overridden_by(config.get("cmd_overrides", []))
}

# METADATA
# title: The operator set an environment variable
# description: None may be set but to a value that is configured for it.
# custom:
#   code: env-override
#   claim: submods.container.env_override
deny contains {
	"code": "env-override",
	"msg": message.one_of(["submods", "container", "env_override"], "env_overrides"),
} if {
	configured
	not container.env_overridden_by(config.get("env_overrides", {}))
}
