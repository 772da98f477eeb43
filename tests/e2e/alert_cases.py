# SPDX-License-Identifier: Apache-2.0
"""When each alert of conf/alerts.yml fires, and when it does not: cases for `promtool test rules`.

A case has input series, one sample in a minute from minute 0 on (`0x4 1x9` is five zeros and ten ones, `0+6x10` grows
by 6), the minutes at which the alert fires, each with the labels it then has, and the minutes at which it does not.
Every case is quiet before, fires, and where the trouble can end is quiet after it. Series of other instances, at the
threshold or of other labels, are in it to stay quiet.
"""

from dataclasses import dataclass, field


@dataclass
class Case:
    alert: str
    series: dict           # series: its values
    quiet: list            # minutes
    fires: list            # minutes
    labels: dict = field(default_factory=lambda: {"instance": "a"})  # when it fires, besides its own


MAIN = {"instance": "a", "vault": "main"}


def per_vault(metric, more=""):
    return f'{metric}{{instance="a",vault="main"{more}}}', f'{metric}{{instance="a",vault="second"{more}}}'


def counter_case(alert, metric, more=""):
    """A counter grows once, at minute 11; of another instance it has grown long ago."""
    return Case(alert, {f'{metric}{{instance="a"{more}}}': "0x10 1x100", f'{metric}{{instance="b"{more}}}': "5x120"},
                quiet=[10, 80], fires=[12, 60])


def grown_for_a_while(alert, metric, more=""):
    """A counter of one vault grows from minute 12 to 21; the alert waits for five minutes."""
    main, second = per_vault(metric, more)
    return Case(alert, {main: "0x10 0+5x10 50x20", second: "7x50"}, quiet=[10, 15, 30], fires=[18, 21], labels=MAIN)


CASES = [
    Case("JumpgateDown", {'up{job="jumpgate",instance="a"}': "1x4 0x5 1x5", 'up{job="node",instance="a"}': "0x20"},
         quiet=[4, 5, 12], fires=[7, 10], labels={"instance": "a", "job": "jumpgate"}),
    Case("JumpgateVaultDown", dict(zip(per_vault("jumpgate_vault_up"), ["1x4 0x5 1x5", "1x20"])),
         quiet=[4, 5, 12], fires=[7], labels=MAIN),
    Case("JumpgateStoreNotWritable", {'jumpgate_store_writable{instance="a"}': "1x4 0x5 1x5",
                                      'jumpgate_store_writable{instance="b"}': "1x20"}, quiet=[4, 12], fires=[5, 9]),
    Case("JumpgateAuditNotWritable", {'jumpgate_audit_writable{instance="a"}': "1x4 0x5 1x5",
                                      'jumpgate_audit_writable{instance="b"}': "1x20"}, quiet=[4, 12], fires=[5, 9]),
    grown_for_a_while("JumpgateRefusesLoad", "jumpgate_vault_refusals_total", ',reason="deadline"'),
    grown_for_a_while("JumpgateListsPartial", "jumpgate_partial_answers_total"),
    # refused from minute 10 on; in the second vault one is accepted now and then
    Case("JumpgateVaultRefusesSignIns",
         {**dict(zip(per_vault("jumpgate_vault_sign_ins_total", ',outcome="refused"'), ["0x10 0+2x40 80x40", "0+2x90"])),
          **dict(zip(per_vault("jumpgate_vault_sign_ins_total", ',outcome="accepted"'), ["7x90", "0+1x90"]))},
         quiet=[10, 24, 75], fires=[28, 50], labels=MAIN),
    Case("JumpgateReleaseOverdue", {'jumpgate_lease_oldest_overdue_seconds{instance="a"}': "0x4 200x4 301x9 0x5",
                                    'jumpgate_lease_oldest_overdue_seconds{instance="b"}': "300x30"},
         quiet=[4, 9, 14, 21], fires=[16, 19]),
    Case("JumpgateCheckinFails", dict(zip(per_vault("jumpgate_vault_overdue_checkins"), ["0x4 1x19 0x5", "0x40"])),
         quiet=[4, 19, 26], fires=[21, 23], labels=MAIN),
    counter_case("JumpgateStoreChanged", "jumpgate_store_steps_refused_total"),
    counter_case("JumpgateLeaseLapsed", "jumpgate_leases_lapsed_total"),
    Case("JumpgateSpinFailed",
         {**dict(zip(per_vault("jumpgate_vault_spins_total", ',outcome="failed"'), ["0x10 1x100", "5x120"])),
          **dict(zip(per_vault("jumpgate_vault_spins_total", ',outcome="accepted"'), ["0+1x120", "0+1x120"]))},
         quiet=[10, 80], fires=[12, 60], labels=MAIN),
    counter_case("JumpgateAuditBroken", "jumpgate_audit_breaks_total"),
    counter_case("JumpgateAuditLost", "jumpgate_audit_lost_total"),
    counter_case("JumpgateAuditLost", "jumpgate_audit_syslog_dropped_total"),
    # 6 in a minute are few; 30 are many
    Case("JumpgateUnknownCallers", {'jumpgate_authentication_failures_total{instance="a"}': "0+6x10 60+30x20 660x20",
                                    'jumpgate_authentication_failures_total{instance="b"}': "0+12x50"},
         quiet=[10, 12, 45], fires=[25, 31]),
    # minute 0 is 1970; it ends a day and 30 minutes later
    Case("JumpgateRevocationListEnds", {'jumpgate_client_crl_end_timestamp_seconds{instance="a"}': "88200x60",
                                        'jumpgate_client_crl_end_timestamp_seconds{instance="b"}': "0x60"},
         quiet=[0, 30], fires=[31, 50]),
    # it ends 14 days and 30 minutes later
    Case("JumpgateCertificateEnds", {'jumpgate_certificate_end_timestamp_seconds{instance="a"}': "1211400x60",
                                     'jumpgate_certificate_end_timestamp_seconds{instance="b"}': "0x60"},
         quiet=[0, 30], fires=[31, 50]),
    Case("JumpgateCertificateEnds",
         dict(zip(per_vault("jumpgate_vault_client_certificate_end_timestamp_seconds"), ["1211400x60", "0x60"])),
         quiet=[0, 30], fires=[31, 50], labels=MAIN),
    Case("JumpgateVaultRowsRefused", dict(zip(per_vault("jumpgate_vault_rows_refused_total"), ["0x10 3x100", "4x120"])),
         quiet=[10, 80], fires=[12, 60], labels=MAIN),
    Case("JumpgateClockSkew", dict(zip(per_vault("jumpgate_vault_clock_skew_seconds"), ["0x4 -31x14 0x20", "30x50"])),
         quiet=[4, 14, 21], fires=[16, 19], labels=MAIN),
    Case("JumpgateSiteAway", {'jumpgate_pra_up{instance="a"}': "1x4 0x14 1x5", 'jumpgate_pra_up{instance="b"}': "1x40"},
         quiet=[4, 14, 21], fires=[16, 19]),
    Case("JumpgateEndsNotSeen", {'jumpgate_pra_cursor_age_seconds{instance="a"}': "60x4 901x14 20x5",
                                 'jumpgate_pra_cursor_age_seconds{instance="b"}': "900x40",
                                 'jumpgate_pra_cursor_age_seconds{instance="c"}': "-1x40"},
         quiet=[4, 14, 21], fires=[16, 19]),
    Case("JumpgateEventsRefused",
         {'jumpgate_pra_events_total{instance="a",event="none",outcome="refused"}': "0x10 1x40",
          'jumpgate_pra_events_total{instance="b",event="end",outcome="accepted"}': "0+5x60"},
         quiet=[10, 30], fires=[12, 25]),
    Case("JumpgateJumpointAway", {'jumpgate_pra_jumpoint_connected{instance="a",jumpoint="dc1"}': "1x4 0x9 1x5",
                                  'jumpgate_pra_jumpoint_connected{instance="a",jumpoint="dc2"}': "1x40"},
         quiet=[4, 9, 16], fires=[11, 14], labels={"instance": "a", "jumpoint": "dc1"}),
    Case("JumpgateReloadRefused", {'jumpgate_config_last_reload_successful{instance="a"}': "1x4 0x14 1x5",
                                   'jumpgate_config_last_reload_successful{instance="b"}': "1x40"},
         quiet=[4, 14, 21], fires=[16, 19]),
    Case("JumpgateRestarts", {'jumpgate_start_time_seconds{instance="a"}': "100x2 200x1 300x1 400x60",
                              'jumpgate_start_time_seconds{instance="b"}': "100x2 200x1 300x60"},
         quiet=[6, 40], fires=[8, 30]),
    Case("JumpgateLoopSlow", {'jumpgate_loop_lag_seconds{instance="a"}': "0.01x4 0.26x9 0.01x5",
                              'jumpgate_loop_lag_seconds{instance="b"}': "0.25x40"},
         quiet=[4, 9, 16], fires=[11, 14]),
    Case("JumpgateDescriptorsShort",
         {'jumpgate_process_open_fds{instance="a"}': "10x4 81x9 10x5", 'jumpgate_process_max_fds{instance="a"}': "100x20",
          'jumpgate_process_open_fds{instance="b"}': "80x40", 'jumpgate_process_max_fds{instance="b"}': "100x40"},
         quiet=[4, 9, 16], fires=[11, 14]),
    Case("JumpgateClusterQuorumLost", {'jumpgate_cluster_certain{instance="a"}': "1x4 0x9 1x5",
                                       'jumpgate_cluster_certain{instance="b"}': "1x40"}, quiet=[4, 5, 16], fires=[7, 14]),
    Case("JumpgateClusterNodeLost", {'jumpgate_cluster_members{instance="a",state="alive"}': "3x29 2x9 3x9",
                                     'jumpgate_cluster_members{instance="a",state="silent"}': "1x29 0x20",
                                     'jumpgate_cluster_members{instance="b",state="alive"}': "3x60"},
         quiet=[29, 31, 42], fires=[33, 38], labels={"instance": "a", "state": "alive"}),
    Case("JumpgateAdoptionStuck", {'jumpgate_cluster_members{instance="a",state="adopting"}': "0x4 1x9 0x5",
                                   'jumpgate_cluster_members{instance="a",state="leaving"}': "1x40"},
         quiet=[4, 5, 16], fires=[7, 14], labels={"instance": "a", "state": "adopting"}),
    counter_case("JumpgateNodeFenced", "jumpgate_cluster_fenced_total"),
    Case("JumpgateClusterConfigDiffers", {'jumpgate_cluster_config_differs{instance="a"}': "0x4 1x14 0x5",
                                          'jumpgate_cluster_config_differs{instance="b"}': "0x40"},
         quiet=[4, 14, 21], fires=[16, 19]),
    # half of the calls take between 0.2 and 0.5 s from minute 10 on; at b all take less than 0.2 s
    Case("JumpgateStoreSlow", {'jumpgate_store_round_trip_seconds_bucket{instance="a",le="0.2"}': "0+60x50",
                               'jumpgate_store_round_trip_seconds_bucket{instance="a",le="0.5"}': "0+60x9 660+120x40",
                               'jumpgate_store_round_trip_seconds_bucket{instance="a",le="+Inf"}': "0+60x9 660+120x40",
                               'jumpgate_store_round_trip_seconds_bucket{instance="b",le="0.2"}': "0+60x50",
                               'jumpgate_store_round_trip_seconds_bucket{instance="b",le="+Inf"}': "0+60x50"},
         quiet=[9, 14], fires=[20, 40]),
    Case("JumpgateStoreGrows", {'jumpgate_store_db_bytes{instance="a"}': "900000000x4 1000000001x14 1x5",
                                'jumpgate_store_db_bytes{instance="b"}': "1000000000x40"}, quiet=[4, 14, 21], fires=[16, 19]),
]
