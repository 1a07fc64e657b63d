package attest

import data.attestctl.config
import data.attestctl.message
import data.attestctl.snp
import data.attestctl.tee

# METADATA
# title: Another guest was launched
# description: Its firmware, or what the launch was made to cover, is not one that the configuration knows.
# custom:
#   code: measurement
#   claim: tee.snp.measurement
deny contains {"code": "measurement", "msg": message.one_of(["tee", "snp", "measurement"], "measurements")} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.measurement_in(data.config.measurements)
}

# METADATA
# title: The report was asked for by less privileged code, or by the host
# description: Whatever runs at another VMPL cannot speak for the guest.
# custom:
#   code: vmpl
#   claim: tee.snp.vmpl
deny contains {"code": "vmpl", "msg": message.among(["tee", "snp", "vmpl"], "vmpls", _vmpls)} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.at_vmpl(_vmpls)
}

# METADATA
# title: The host may debug the guest
# description: It can then decrypt all of its memory. No setting allows it.
# custom:
#   code: debug
#   claim: tee.snp.policy.debug
deny contains {"code": "debug", "msg": message.wants(["tee", "snp", "policy", "debug"], "false")} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.not_debugged
}

# METADATA
# title: The guest has a migration agent
# description: The agent has its keys and can move it anywhere.
# custom:
#   code: migration
#   claim: tee.snp.policy.migrate_ma
deny contains {"code": "migration", "msg": message.wants(["tee", "snp", "policy", "migrate_ma"], "false")} if {
	configured
	tee.is_type("SEV_SNP")
	not migration_accepted
}

# METADATA
# title: The guest has no migration agent
# description: Where allow_migration is true, either will do, but the claim has to be there.
# custom:
#   claim: tee.snp.policy.migrate_ma
migration_accepted if snp.not_migratable

migration_accepted if {
	data.config.allow_migration == true
	is_boolean(input.tee.snp.policy.migrate_ma)
}

# METADATA
# title: The guest policy lets the host do more
# description: One denial for each flag that is configured and differs.
# custom:
#   code: guest-policy
#   claim: tee.snp.policy
deny contains {"code": "guest-policy", "msg": message.wants(["tee", "snp", "policy", flag], sprintf("%v", [want]))} if {
	configured
	tee.is_type("SEV_SNP")
	some flag, want in _guest_policy
	not snp.policy_flag(flag, want)
}

# METADATA
# title: Other host data
# description: Whoever launches a guest chooses it, so that it says nothing on its own.
# custom:
#   code: host-data
#   claim: tee.snp.host_data
deny contains {"code": "host-data", "msg": message.one_of(["tee", "snp", "host_data"], "host_data")} if {
	configured
	tee.is_type("SEV_SNP")
	not host_data_accepted
}

# METADATA
# title: The host data is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.host_data
host_data_accepted if not config.has("host_data")

host_data_accepted if input.tee.snp.host_data in data.config.host_data

# METADATA
# title: Another key signed the ID block
# description: Or there is no ID block, and the digest is zero.
# custom:
#   code: id-key
#   claim: tee.snp.id_key_digest
deny contains {"code": "id-key", "msg": message.one_of(["tee", "snp", "id_key_digest"], "id_key_digests")} if {
	configured
	tee.is_type("SEV_SNP")
	not id_key_accepted
}

# METADATA
# title: The ID block was signed by one of the keys configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.id_key_digest
id_key_accepted if not config.has("id_key_digests")

id_key_accepted if input.tee.snp.id_key_digest in data.config.id_key_digests

# METADATA
# title: Another key vouches for the ID key
# description: Or none does, and the digest stands for nothing.
# custom:
#   code: author-key
#   claim: tee.snp.author_key_digest
deny contains {
	"code": "author-key",
	"msg": message.one_of(["tee", "snp", "author_key_digest"], "author_key_digests"),
} if {
	configured
	tee.is_type("SEV_SNP")
	not author_key_accepted
}

# METADATA
# title: The ID key was signed by one of the keys configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.author_key_digest
author_key_accepted if not config.has("author_key_digests")

author_key_accepted if {
	input.tee.snp.author_key_enabled == true
	input.tee.snp.author_key_digest in data.config.author_key_digests
}

# METADATA
# title: Another family of guests
# description: The ID block names it; whoever signs ID blocks chooses it.
# custom:
#   code: family-id
#   claim: tee.snp.family_id
deny contains {"code": "family-id", "msg": message.one_of(["tee", "snp", "family_id"], "family_ids")} if {
	configured
	tee.is_type("SEV_SNP")
	not family_id_accepted
}

# METADATA
# title: The family is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.family_id
family_id_accepted if not config.has("family_ids")

family_id_accepted if input.tee.snp.family_id in data.config.family_ids

# METADATA
# title: Another image
# description: The ID block names it; whoever signs ID blocks chooses it.
# custom:
#   code: image-id
#   claim: tee.snp.image_id
deny contains {"code": "image-id", "msg": message.one_of(["tee", "snp", "image_id"], "image_ids")} if {
	configured
	tee.is_type("SEV_SNP")
	not image_id_accepted
}

# METADATA
# title: The image is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.image_id
image_id_accepted if not config.has("image_ids")

image_id_accepted if input.tee.snp.image_id in data.config.image_ids

# METADATA
# title: An old version of the guest
# description: The ID block numbers the versions.
# custom:
#   code: guest-svn
#   claim: tee.snp.guest_svn
deny contains {
	"code": "guest-svn",
	"msg": message.wants(["tee", "snp", "guest_svn"], sprintf("%v or more", [config.get("min_guest_svn", 0)])),
} if {
	configured
	tee.is_type("SEV_SNP")
	not guest_svn_accepted
}

# METADATA
# title: The version of the guest is the least configured or later
# description: Where none is configured, any will do.
# custom:
#   claim: tee.snp.guest_svn
guest_svn_accepted if not config.has("min_guest_svn")

guest_svn_accepted if {
	is_number(input.tee.snp.guest_svn)
	input.tee.snp.guest_svn >= data.config.min_guest_svn
}
