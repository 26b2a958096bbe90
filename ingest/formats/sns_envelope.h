// Extracts the messages of Amazon SNS from the envelopes in which they are delivered.
//
//   if (!envelopes_.ForEach(payload, &reader_, [&](const SnsMessage& message) { … })) …
//
//   {"Type": "Notification", "MessageId": …, "TopicArn": …, "Subject": …, "Message": "a text", …}
//   {"Records": [{"EventSource": "aws:sns", "Sns": {…an envelope…}}]}     to a Lambda function
//   {"Records": [{"eventSource": "aws:sqs", "body": "…"}]}                through an SQS queue
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
//
// The body of a queue's record is an envelope or, with raw message delivery, the message itself.
// Subscription confirmations are skipped. Views are valid until the payload's parser parses again;
// those from a queue only until the next record. Not thread-safe.
#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "core/time.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {

struct SnsMessage {
  std::string_view id;  // the same if the message is delivered again
  std::string_view topic_arn;
  std::string_view text;
  TimeUs time = kNoTime;
};

class SnsEnvelopes {
 public:
  using Visit = absl::FunctionRef<void(const SnsMessage& message)>;

  // False, and nothing is visited, if the payload is not an envelope.
  bool ForEach(const PayloadObject& payload, PayloadReader* reader, Visit visit);

 private:
  void VisitRecord(const PayloadObject& record, PayloadReader* reader, Visit visit);

  PayloadParser body_parser_;
};

}  // namespace tocsin
