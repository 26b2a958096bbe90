// Decodes messages that are embedded in a document of another format.
//
//   MessageDecoder messages(input, &errors);                  // message_format: of the input
//   messages.Decode(message, its_time, {{"log_group", group}}, &reader_);
//
// Without `message_format`, a message that begins with a brace is decoded as JSON and any other is
// a log line. Events without a type become logs, events without a timestamp take the message's, and
// all events get the non-empty labels. `map:` applies to the inner format. Not thread-safe.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>

#include "config/config.h"
#include "config/node.h"
#include "ingest/decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {

class MessageDecoder {
 public:
  MessageDecoder(const InputConfig& input, ErrorList* errors);

  // The views must be valid until the call returns. `reader` is the reader of the enclosing
  // document; events go to its sink.
  void Decode(std::string_view message, TimeUs time, std::initializer_list<LabelView> labels,
              PayloadReader* reader);

 private:
  bool lines_;  // no message_format: messages that are not JSON are log lines
  std::unique_ptr<Decoder> decoder_;
};

// Returns a copy of `input` for the enclosing document: `map:` keeps only the constants that can
// apply to log lines. The inner decoder validates the rest.
InputConfig WithoutMessageMap(const InputConfig& input);

}  // namespace tocsin
