# SPDX-License-Identifier: Apache-2.0
"""When each alert of conf/reports-alerts.yml fires, and when it does not; see alert_cases.py."""

from alert_cases import Case, counter_case

MAIN = {"instance": "a", "site": "main"}


def of_site(metric, more="", site="main"):
    return f'jumpgate_reports_{metric}{{instance="a",site="{site}"{more}}}'


def of_two(metric, first, second, more=""):
    return {of_site(metric, more): first, of_site(metric, more, "second"): second}


CASES = [
    Case("ReportsDown", {'up{job="jumpgate-reports",instance="a"}': "1x4 0x9 1x5", 'up{job="jumpgate",instance="a"}': "0x20"},
         quiet=[4, 9, 16], fires=[11, 13], labels={"instance": "a", "job": "jumpgate-reports"}),
    Case("ReportsAuditNotWritable", {'jumpgate_reports_audit_writable{instance="a"}': "1x4 0x5 1x5",
                                     'jumpgate_reports_audit_writable{instance="b"}': "1x20"}, quiet=[4, 12], fires=[5, 9]),
    counter_case("ReportsAuditBroken", "jumpgate_reports_audit_breaks_total"),
    Case("ReportsDatabaseNotWritable", {'jumpgate_reports_database_writable{instance="a"}': "1x4 0x9 1x5",
                                        'jumpgate_reports_database_writable{instance="b"}': "1x20"},
         quiet=[4, 9, 16], fires=[11, 13]),
    Case("ReportsSiteActionRequired", of_two("site_state", "0x4 1x19 0x5", "0x40", ',state="Action Required"') |
         {of_site("site_state", ',state="Connected"', "second"): "1x40"},
         quiet=[4, 19, 26], fires=[21, 23], labels=MAIN | {"state": "Action Required"}),
    Case("ReportsSiteOff", {of_site("site_state", ',state="Connected"'): "1x10 0x20 1x10", of_site("site_state", ',state="Off"'): "0x10 1x20 0x10",
                            of_site("site_state", ',state="Connected"', "never"): "0x40", of_site("site_state", ',state="Off"', "never"): "1x40"},
         quiet=[10, 35], fires=[12, 30], labels=MAIN),
    Case("ReportsLag", {of_site("lag_seconds", ',source="closed"'): "60x4 3601x34 60x5", of_site("lag_seconds", ',source="syslog"'): "9000x50",
                        of_site("lag_seconds", ',source="closed"', "second"): "3600x50"},
         quiet=[4, 34, 42], fires=[36, 39], labels=MAIN),
    Case("ReportsSessionsFailed", of_two("failed_sessions", "0x4 2x64 0x5", "0x80"), quiet=[4, 64, 72], fires=[66, 68], labels=MAIN),
    Case("ReportsClockSkew", of_two("clock_skew_seconds", "0x4 -31x19 0x20", "30x50"), quiet=[4, 19, 27], fires=[21, 23], labels=MAIN),
    # 6 in a minute are few; 30 are many
    Case("ReportsSignInsFail", {'jumpgate_reports_sign_ins_total{instance="a",outcome="failed"}': "0+6x10 60+30x30 960x30",
                                'jumpgate_reports_sign_ins_total{instance="b",outcome="ok"}': "0+60x70"},
         quiet=[10, 12, 60], fires=[30, 40]),
    # minute 0 is 1970; it ends 14 days and 30 minutes later
    Case("ReportsCertificateEnds", {'jumpgate_reports_certificate_end_timestamp_seconds{instance="a"}': "1211400x60",
                                    'jumpgate_reports_certificate_end_timestamp_seconds{instance="b"}': "0x60"},
         quiet=[0, 30], fires=[31, 50]),
]
