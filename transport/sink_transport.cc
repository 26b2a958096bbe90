#include "transport/sink_transport.h"

#include <algorithm>
#include <utility>

#include "system/host_clock.h"

namespace tocsin {

void SinkTransport::Send(const Hash128& id, SinkRequest request, Replies* replies) {
  switch (request.kind) {
    case SinkRequest::Kind::kHttp:
    case SinkRequest::Kind::kMail:
      return http_.Send(id, std::move(request), replies);
    case SinkRequest::Kind::kKafka:
      return kafka_.Send(id, request);
    case SinkRequest::Kind::kStdout:
    case SinkRequest::Kind::kFile:
      return local_.Send(id, std::move(request));
    case SinkRequest::Kind::kNone:
      replies->push_back({.id = id, .reply = {}});
      replies->back().reply.unsent = true;
      return;
  }
}

void SinkTransport::Perform(absl::Duration wait, Replies* replies) {
  const auto collect = [&] {
    kafka_.Collect(replies);
    local_.Collect(replies);
  };
  collect();
  if (!replies->empty()) wait = absl::ZeroDuration();
  if (const TimeUs deadline = local_.NextDeadline(); deadline != INT64_MAX) {
    wait = std::min(wait, absl::Microseconds(std::max<DurationUs>(0, deadline - HostMonotonic())));
  }
  http_.Perform(wait, replies);
  collect();
}

void SinkTransport::CancelAll() {
  http_.CancelAll();
  kafka_.CancelAll();
  local_.CancelAll();
}

}  // namespace tocsin
