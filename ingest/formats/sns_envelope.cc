#include "ingest/formats/sns_envelope.h"

namespace tocsin {
namespace {

bool IsEnvelope(const PayloadObject& payload) {
  return payload.Has<"TopicArn">() && payload.Has<"Message">();
}

void VisitEnvelope(const PayloadObject& envelope, PayloadReader* reader,
                   SnsEnvelopes::Visit visit) {
  const std::string_view type = envelope.Text<"Type">();
  if (type == "SubscriptionConfirmation" || type == "UnsubscribeConfirmation") {
    return reader->Skip("the confirmation of a subscription");
  }
  if (type != "Notification") return reader->Refuse("unknown SNS message type");
  const SnsMessage message = {.id = envelope.Text<"MessageId">(),
                              .topic_arn = envelope.Text<"TopicArn">(),
                              .text = envelope.Text<"Message">(),
                              .time = envelope.Time<"Timestamp">()};
  if (!reader->fault()->empty()) return reader->Refuse({});
  visit(message);
}

}  // namespace

bool SnsEnvelopes::ForEach(const PayloadObject& payload, PayloadReader* reader, Visit visit) {
  if (IsEnvelope(payload)) {
    VisitEnvelope(payload, reader, visit);
    return true;
  }
  if (!payload.Has<"Records">()) return false;
  bool any = false;
  payload.ForEach<"Records">([&](const PayloadObject& record) {
    any = true;
    VisitRecord(record, reader, visit);
  });
  if (!any) reader->Skip("an event without records");
  return true;
}

void SnsEnvelopes::VisitRecord(const PayloadObject& record, PayloadReader* reader, Visit visit) {
  if (const PayloadObject envelope = record.Object<"Sns">(); envelope.present()) {
    return VisitEnvelope(envelope, reader, visit);
  }
  const std::string_view body = record.Text<"body">();
  if (body.empty()) return reader->Refuse("a record of neither SNS nor SQS");
  PayloadObject envelope;
  if (body_parser_.Parse(body, reader->fault(), &envelope).empty() && IsEnvelope(envelope)) {
    return VisitEnvelope(envelope, reader, visit);
  }
  visit({.id = record.Text<"messageId">(), .topic_arn = {}, .text = body});
}

}  // namespace tocsin
