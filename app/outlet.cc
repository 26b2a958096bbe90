#include "app/outlet.h"

#include <utility>

#include "app/local_output.h"

namespace tocsin {

void Outlet::Send(const Hash128& id, SinkRequest request, Replies* replies) {
  switch (request.kind) {
    case SinkRequest::Kind::kHttp:
    case SinkRequest::Kind::kMail:
      return http_.Send(id, std::move(request), replies);
    case SinkRequest::Kind::kKafka:
      return kafka_.Send(id, request);
    case SinkRequest::Kind::kStdout:
      replies->push_back({id, WriteStdout(std::move(request.body))});
      return;
    case SinkRequest::Kind::kFile:
      replies->push_back({id, AppendLine(request.url, std::move(request.body))});
      return;
    case SinkRequest::Kind::kNone:
      replies->push_back({.id = id, .reply = {}});
      replies->back().reply.unsent = true;
      return;
  }
}

void Outlet::Perform(absl::Duration wait, Replies* replies) {
  kafka_.Collect(replies);
  http_.Perform(replies->empty() ? wait : absl::ZeroDuration(), replies);
  kafka_.Collect(replies);
}

void Outlet::CancelAll() {
  http_.CancelAll();
  kafka_.CancelAll();
}

}  // namespace tocsin
