package replay

import "fmt"

// EventType is the TCG_EVENTTYPE of an event (PFP 1.06, 10.4.1). It is not
// measured: whoever can edit the file can change it and every PCR still
// replays.
type EventType uint32

// The event types this package compares with measured content, or that decide
// whether and from which value an event is extended.
const (
	evNoAction          EventType = 0x00000003
	evSeparator         EventType = 0x00000004
	evEventTag          EventType = 0x00000006
	evSCRTMVersion      EventType = 0x00000008
	evIPL               EventType = 0x0000000D
	evNonhostInfo       EventType = 0x00000011
	evVariableConfig    EventType = 0x80000001
	evBootServicesApp   EventType = 0x80000003
	evEFIAction         EventType = 0x80000007
	evHCRTM             EventType = 0x80000010
	evVariableAuthority EventType = 0x800000E0
)

// Known reports whether the TCG (PFP 1.06, 10.4.1), or Google for its DRTM event,
// defines the type.
func (t EventType) Known() bool { return t.name() != "" }

// String returns the TCG name ("EV_SEPARATOR"), or the number in hex for a type
// without one.
func (t EventType) String() string {
	if s := t.name(); s != "" {
		return s
	}
	return fmt.Sprintf("0x%08x", uint32(t))
}

func (t EventType) name() string {
	switch {
	case t < EventType(len(pcClientTypes)):
		return pcClientTypes[t]
	case t == 0x10000000:
		return "EV_GOOGLE_DRTM_EVENT"
	default:
		return efiTypes[t]
	}
}

var pcClientTypes = [...]string{
	"EV_PREBOOT_CERT", "EV_POST_CODE", "EV_UNUSED", "EV_NO_ACTION", "EV_SEPARATOR", "EV_ACTION",
	"EV_EVENT_TAG", "EV_S_CRTM_CONTENTS", "EV_S_CRTM_VERSION", "EV_CPU_MICROCODE",
	"EV_PLATFORM_CONFIG_FLAGS", "EV_TABLE_OF_DEVICES", "EV_COMPACT_HASH", "EV_IPL",
	"EV_IPL_PARTITION_DATA", "EV_NONHOST_CODE", "EV_NONHOST_CONFIG", "EV_NONHOST_INFO",
	"EV_OMIT_BOOT_DEVICE_EVENTS", "EV_POST_CODE2",
}

var efiTypes = map[EventType]string{
	0x80000000: "EV_EFI_EVENT_BASE",
	0x80000001: "EV_EFI_VARIABLE_DRIVER_CONFIG",
	0x80000002: "EV_EFI_VARIABLE_BOOT",
	0x80000003: "EV_EFI_BOOT_SERVICES_APPLICATION",
	0x80000004: "EV_EFI_BOOT_SERVICES_DRIVER",
	0x80000005: "EV_EFI_RUNTIME_SERVICES_DRIVER",
	0x80000006: "EV_EFI_GPT_EVENT",
	0x80000007: "EV_EFI_ACTION",
	0x80000008: "EV_EFI_PLATFORM_FIRMWARE_BLOB",
	0x80000009: "EV_EFI_HANDOFF_TABLES",
	0x8000000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
	0x8000000B: "EV_EFI_HANDOFF_TABLES2",
	0x8000000C: "EV_EFI_VARIABLE_BOOT2",
	0x8000000D: "EV_EFI_GPT_EVENT2",
	0x80000010: "EV_EFI_HCRTM_EVENT",
	0x800000E0: "EV_EFI_VARIABLE_AUTHORITY",
	0x800000E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
	0x800000E2: "EV_EFI_SPDM_FIRMWARE_CONFIG",
	0x800000E3: "EV_EFI_SPDM_DEVICE_POLICY",
	0x800000E4: "EV_EFI_SPDM_DEVICE_AUTHORITY",
}
