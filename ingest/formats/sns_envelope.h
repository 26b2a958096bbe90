// The messages that Amazon SNS hands on, out of the envelopes that they come in.
//
//   if (!envelopes_.ForEach(payload, &reader_, [&](const SnsMessage& message) { … })) …
//
//   {"Type": "Notification", "MessageId": …, "TopicArn": …, "Subject": …, "Message": "a text", …}
//   {"Records": [{"EventSource": "aws:sns", "Sns": {…an envelope…}}]}     a Lambda function's event
//   {"Records": [{"eventSource": "aws:sqs", "body": "…"}]}                a queue in between
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
//
// A queue's body is an envelope, or with raw message delivery the message itself. Confirmations of
// subscriptions are skipped. Views live until the payload's parser, or for a queue the next record,
// is read. Not thread-safe.
#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "core/time.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {

struct SnsMessage {
  std::string_view id;  // the same when it is delivered again
  std::string_view topic_arn;
  std::string_view text;
  TimeUs time = kNoTime;
};

class SnsEnvelopes {
 public:
  using Visit = absl::FunctionRef<void(const SnsMessage& message)>;

  // False, and nothing happens, where the payload is no envelope.
  bool ForEach(const PayloadObject& payload, PayloadReader* reader, Visit visit);

 private:
  void VisitRecord(const PayloadObject& record, PayloadReader* reader, Visit visit);

  PayloadParser body_parser_;
};

}  // namespace tocsin
