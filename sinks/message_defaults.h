// The built-in message templates (sinks/message_templates.h); internal to sinks/.
#pragma once

#include "sinks/message.h"

namespace tocsin {

const char* DefaultTemplate(MessageAudience audience, MessageStage stage);

}  // namespace tocsin
