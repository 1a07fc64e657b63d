package localtpm

// ReportData is what a report of the hardware is made for.
var ReportData = reportData
