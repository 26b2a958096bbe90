// Decodes the messages that a document of another format carries: a second format inside a first.
//
//   MessageDecoder messages(input, &errors);                  // message_format: of the input
//   messages.Decode(message, its_time, {{"log_group", group}}, &reader_);
//
// Without `message_format` a message that begins with a brace is read as json, any other is a log
// line. What does not say its type is a log, what has no time takes the message's, and all events
// get the labels that are not empty. `map:` is that of the inner format. Not thread-safe.
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

  // Views live until the call returns. `reader` is the document's, whose sink it goes to.
  void Decode(std::string_view message, TimeUs time, std::initializer_list<LabelView> labels,
              PayloadReader* reader);

 private:
  bool lines_;  // what is no JSON is a log line
  std::unique_ptr<Decoder> decoder_;
};

// The input of the document around the messages: of `map:`, the constants that its own log lines
// can have; the rest is the inner format's to judge.
InputConfig WithoutMessageMap(const InputConfig& input);

}  // namespace tocsin
