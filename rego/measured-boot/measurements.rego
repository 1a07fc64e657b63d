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
# title: A PCR holds another value
# description: One denial for each PCR that is configured and differs.
# custom:
#   code: pcr-value
#   claim: tpm.pcrs
deny contains {
	"code": "pcr-value",
	"msg": message.wants(["tpm", "pcrs", bank, index], sprintf("one of pcrs: %v", [values])),
} if {
	measured
	some bank, registers in data.config.pcrs
	some index, values in registers
	not boot.pcr_in(bank, index, values)
}

# METADATA
# title: Another EFI application ran
# description: PCR 4, which is pinned, holds their digests; this names the one that differs.
# custom:
#   code: efi-app
#   claim: boot.efi_apps
deny contains {"code": "efi-app", "msg": message.one_of(["boot", "efi_apps"], "efi_apps")} if {
	measured
	not efi_apps_accepted
}

# METADATA
# title: Every EFI application is one of those configured
# description: Where none is configured, PCR values alone decide.
# custom:
#   claim: boot.efi_apps
efi_apps_accepted if not config.has("efi_apps")

efi_apps_accepted if boot.efi_apps_in(data.config.efi_apps)

# METADATA
# title: Another kernel command line
# description: PCR 8, which is pinned, holds it; this names the one that was used.
# custom:
#   code: command-line
#   claim: boot.kernel.command_line
deny contains {
	"code": "command-line",
	"msg": message.one_of(["boot", "kernel", "command_line"], "command_lines"),
} if {
	measured
	not command_line_accepted
}

# METADATA
# title: The command line is one of those configured
# description: Where none is configured, PCR values alone decide.
# custom:
#   claim: boot.kernel.command_line
command_line_accepted if not config.has("command_lines")

command_line_accepted if boot.command_line_in(data.config.command_lines)

# METADATA
# title: Secure Boot off, or with another key in db
# description: Firmware measures db before anything of the machine's owner runs, so that it needs no PCR beside it.
# custom:
#   code: secure-boot-db
#   claim: boot.secure_boot.db
deny contains {
	"code": "secure-boot-db",
	"msg": sprintf("%s; %s", [
		message.wants(["boot", "secure_boot", "enabled"], "true"),
		message.one_of(["boot", "secure_boot", "db"], "secure_boot_db"),
	]),
} if {
	measured
	not signature_db_accepted
}

# METADATA
# title: Secure Boot was on, with the keys configured
# description: Where none is configured, PCR values alone decide.
# custom:
#   claim: boot.secure_boot.db
signature_db_accepted if not config.has("secure_boot_db")

signature_db_accepted if {
	boot.secure_boot_on
	boot.signature_db_in(data.config.secure_boot_db)
}
