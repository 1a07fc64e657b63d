package attest

import data.attestctl.boot
import data.attestctl.config
import data.attestctl.message

# METADATA
# title: The boot is not fully accounted for
# description: PCRs 0 to 9 and 14 must be quoted and explained, whatever the verifier was asked for.
# custom:
#   code: boot-incomplete
#   claim: boot.complete
deny contains {
	"code": "boot-incomplete",
	"msg": message.wants(["boot", "complete"], "true, with PCRs 0 to 9 and 14 quoted"),
} if {
	measured
	not boot.complete
}

# METADATA
# title: A PCR holds what nothing explains
# description: The operating system extends PCRs without an event; those that it may are configured.
# custom:
#   code: pcr-unexplained
#   claim: boot.unexplained_pcrs
deny contains {
	"code": "pcr-unexplained",
	"msg": message.one_of(["boot", "unexplained_pcrs"], "unexplained_pcrs"),
} if {
	measured
	boot.complete
	not boot.explained_but_for(config.get("unexplained_pcrs", []))
}

# METADATA
# title: Firmware was being debugged
# description: A debugger in firmware can measure what it likes.
# custom:
#   code: firmware-debug
#   claim: boot.uefi_debug
deny contains {"code": "firmware-debug", "msg": message.wants(["boot", "uefi_debug"], "false")} if {
	measured
	not boot.firmware_not_debugged
}

# METADATA
# title: DMA protection was disabled
# description: A device could then write to memory before the kernel could say no.
# custom:
#   code: dma-protection
#   claim: boot.dma_protection_disabled
deny contains {"code": "dma-protection", "msg": message.wants(["boot", "dma_protection_disabled"], "false")} if {
	measured
	not boot.dma_protected
}

# METADATA
# title: Secure Boot was off
# description: Then anything may have booted.
# custom:
#   code: secure-boot
#   claim: boot.secure_boot.enabled
deny contains {"code": "secure-boot", "msg": message.wants(["boot", "secure_boot", "enabled"], "true")} if {
	measured
	not boot.secure_boot_on
}

# METADATA
# title: Somebody else owns the platform
# description: The machine's creator can set PK, and PK decides over all other keys.
# custom:
#   code: secure-boot-pk
#   claim: boot.secure_boot.pk
deny contains {"code": "secure-boot-pk", "msg": message.one_of(["boot", "secure_boot", "pk"], "secure_boot_pk")} if {
	measured
	not boot.platform_key_in(data.config.secure_boot_pk)
}

# METADATA
# title: db holds a key that is not ours
# description: What such a key signs boots under Secure Boot as well.
# custom:
#   code: secure-boot-db
#   claim: boot.secure_boot.db
deny contains {"code": "secure-boot-db", "msg": message.one_of(["boot", "secure_boot", "db"], "secure_boot_db")} if {
	measured
	not boot.signature_db_in(data.config.secure_boot_db)
}

# METADATA
# title: Nothing is revoked
# description: With an empty dbx every boot loader with a known hole still boots.
# custom:
#   code: secure-boot-dbx
#   claim: boot.secure_boot.dbx
deny contains {"code": "secure-boot-dbx", "msg": message.wants(["boot", "secure_boot", "dbx"], "hashes in it")} if {
	measured
	not boot.revocations_present
}

# METADATA
# title: Another key accepted what booted
# description: A machine owner key is enrolled by whoever has the console, and shim then trusts it.
# custom:
#   code: secure-boot-authority
#   claim: boot.secure_boot.authority
deny contains {
	"code": "secure-boot-authority",
	"msg": message.one_of(["boot", "secure_boot", "authority"], "secure_boot_db"),
} if {
	measured
	boot.secure_boot_on
	not boot.vouched_by(data.config.secure_boot_db)
}

# METADATA
# title: Shim was told to skip its checks
# description: Secure Boot then ends at shim, and any kernel starts.
# custom:
#   code: shim-validation
#   claim: boot.secure_boot.mok.validation_disabled
deny contains {
	"code": "shim-validation",
	"msg": message.wants(["boot", "secure_boot", "mok", "validation_disabled"], "absent or false"),
} if {
	measured
	boot.complete
	not boot.shim_validates
}

# METADATA
# title: Another boot chain or command line than the image's
# description: |
#   What makes the workload's claims worth reading: nobody can extend PCR 4 and 8
#   back to the values of a Confidential Space image once something else has booted.
# custom:
#   code: boot-pcrs
#   claim: tpm.pcrs
deny contains {
	"code": "boot-pcrs",
	"msg": message.wants(["tpm", "pcrs", bank, index], sprintf("one of pcrs: %v", [values])),
} if {
	measured
	some bank, registers in data.config.pcrs
	some index, values in registers
	not boot.pcr_in(bank, index, values)
}

# METADATA
# title: A debug image
# description: Its operator can log in. Only production images have the word on their command line.
# custom:
#   code: debug-image
#   claim: boot.kernel.command_line
deny contains {
	"code": "debug-image",
	"msg": message.wants(["boot", "kernel", "command_line"], "the word confidential-space.hardened=true in it"),
} if {
	measured
	not image_accepted
}

# METADATA
# title: The image is of production, or any will do
# description: The command line can be believed because PCR 8 is pinned.
# custom:
#   claim: boot.kernel.command_line
image_accepted if boot.command_line_has("confidential-space.hardened=true")

image_accepted if data.config.debug_images == true
