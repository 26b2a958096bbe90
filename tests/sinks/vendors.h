// The receivers of sinks, as their vendors document them: what they take, answer and then show.
//
//   std::unique_ptr<Vendor> slack = NewVendor("slack");
//   SinkReply reply = slack->Receive(sink.RequestFor(delivery));
//   slack->Faults();                         // what is against the documented schema; empty is
//   well slack->Of("incident 1").opened;          // what people see there
//
// A thing is what a receiver shows of one incident: a page, a message, a ticket, an alert, a mail.
// Without network, hence also for virtual time. Schemas: the pages that the sinks name. Not
// thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/delivery.h"
#include "sinks/sink.h"

namespace tocsin {

class Vendor {
 public:
  struct Thing {
    int opened = 0;     // how often people were told that it begins
    bool over = false;  // as it is shown last
    int repeats = 0;    // what was told again and does not say so
    bool begun_after_end = false;
  };

  virtual ~Vendor() = default;
  // Answers as documented, 400 with the faults for what it does not take.
  SinkReply Receive(const SinkRequest& request);
  // Of an incident at a level, by its title; some receivers show all levels as one.
  virtual Thing Of(const std::string& title, int level) const = 0;
  // Whether each level is a thing of its own.
  virtual bool by_level() const { return false; }
  // Whether repeats are recognised or can be looked up, so that none occur.
  virtual bool tells_repeats() const { return true; }
  // All texts that people read there.
  virtual std::vector<std::string> Texts() const = 0;
  const std::set<std::string>& Faults() const { return faults_; }

 protected:
  virtual SinkReply Take(const SinkRequest& request) = 0;
  void Fault(const std::string& what) { faults_.insert(what); }

 private:
  std::set<std::string> faults_;
};

// A kind of sink, and who receives what it sends.
struct VendorKind {
  std::string name;      // "slack by token"
  std::string stanza;    // "kind: slack, channel: C01, token_env: TOCSIN_TEST_KEY"
  std::string url_key;   // the key that says where the receiver is; "" if none of the stanza does
  std::string url_path;  // what follows its host there
  std::unique_ptr<Vendor> (*make)();

  // `base` is "http://host:port".
  std::string Stanza(const std::string& sink, const std::string& base) const;
};
// Secrets are in the environment: TOCSIN_TEST_KEY, and the URL of Slack's webhook in
// TOCSIN_TEST_URL.
const std::vector<VendorKind>& VendorKinds();

}  // namespace tocsin
