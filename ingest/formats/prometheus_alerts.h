// The alerts of a document as Alertmanager writes it, and Grafana after it: one alarm each.
//
//   if (!DeliverAlerts(payload, &reader_)) reader_.Refuse("no alerts");
//
// The time is startsAt of a firing alert and endsAt of a resolved one. Labels become labels, those
// named like a field fill it; `alertname` is the name, the annotation `summary` (without it
// `description` or `message`) the message. The id is "<fingerprint>:<state>:<time>", so that what
// is sent again is one fact with the first; without a fingerprint a fact makes one of its content.
//
// Grafana's DatasourceNoData and DatasourceError say that nothing is known: they are alarms of the
// rule that they are about, of state unknown (https://grafana.com/docs/grafana/latest/alerting/).
#pragma once

#include "ingest/json/payload_reader.h"

namespace tocsin {

// False, and nothing is delivered, where the document has no `alerts` at all.
bool DeliverAlerts(const PayloadObject& payload, PayloadReader* reader);

}  // namespace tocsin
