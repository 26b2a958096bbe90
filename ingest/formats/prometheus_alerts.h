// Converts the alerts of a webhook of Alertmanager, or of Grafana in the same format, to alarms.
//
//   if (!DeliverAlerts(payload, &reader_)) reader_.Refuse("no alerts");
//
// The time is startsAt for a firing alert and endsAt for a resolved one. Labels become labels; one
// that is named like an event field also fills that field. The name is the label `alertname`; the
// message is the annotation `summary`, else `description`, else `message`. The id is
// "<fingerprint>:<state>:<time>", so that an alert that is sent again is the same fact. Without a
// fingerprint the event has no id, and the fact's id is derived from its content.
//
// Grafana's DatasourceNoData and DatasourceError mean that the state is unknown: they become alarms
// of the affected rule in state unknown (https://grafana.com/docs/grafana/latest/alerting/).
#pragma once

#include "ingest/json/payload_reader.h"

namespace tocsin {

// False, and nothing is delivered, if the document has no key `alerts`.
bool DeliverAlerts(const PayloadObject& payload, PayloadReader* reader);

}  // namespace tocsin
