#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/node.h"
#include "config/value.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// Memory that a tree takes, roughly: what kConfigTreeBytesMax bounds.
std::size_t Cost(const ConfigNode& node) {
  std::size_t cost = sizeof(ConfigNode) + node.scalar.size();
  for (const ConfigNode& element : node.list) cost += Cost(element);
  for (const auto& [key, value] : node.map) cost += key.size() + Cost(value);
  return cost;
}

// Builds the tree from yaml-cpp's events. YAML::Load would be shorter, but it keeps duplicate keys
// silently, and it is only here that depth and aliases can be bounded before they cost anything.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, ErrorList* errors) : file_(file), errors_(errors) {
    root_.at = {file, 1, 1};
  }

  Location At(const YAML::Mark& mark) const {
    if (mark.is_null()) return {file_, 0, 0};
    return {file_, mark.line + 1, mark.column + 1};
  }

  // The document. Of one that was given up before its end what is complete: the sections before
  // that place, and of a list that it lies in the elements before. A scalar just before it may have
  // run on into what followed.
  ConfigNode Take() {
    if (frames_.empty() || frames_[0].node.kind != ConfigNode::Kind::kMap) return std::move(root_);
    Frame& top = frames_[0];
    if (!top.has_key) {
      if (!top.node.map.empty() && top.node.map.back().value.kind == ConfigNode::Kind::kScalar) {
        top.node.map.pop_back();
        top.node.key_locations.pop_back();
      }
    } else if (frames_.size() > 1 && frames_[1].node.kind == ConfigNode::Kind::kList) {
      std::vector<ConfigNode>& list = frames_[1].node.list;
      if (!list.empty() && list.back().kind == ConfigNode::Kind::kScalar) list.pop_back();
      AddValue(&top, std::move(frames_[1].node));
    }
    return std::move(top.node);
  }

  bool stopped() const { return stopped_; }

  // Gives the document up; only the first reason is reported.
  void Stop(const Location& at, const std::string& message) {
    if (!stopped_) errors_->Add(at, message);
    errors_->SetPartUnread();
    stopped_ = true;  // yaml-cpp goes on to the end of the text; its events are ignored
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      Stop(At(mark), "text after the end of the document: expected one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    ConfigNode node;
    node.at = At(mark);
    Attach(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    ConfigNode node;
    node.kind = ConfigNode::Kind::kScalar;
    node.at = At(mark);
    node.scalar = value;
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    Attach(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return Stop(At(mark), "this alias stands inside its own anchor");
    // The copy keeps the anchor's locations: that is where a wrong value is to be corrected.
    if (Afford(At(mark), Cost(found->second))) Attach(found->second, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(ConfigNode::Kind::kList, mark, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(ConfigNode::Kind::kMap, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map that is still open, with the key of a map that waits for its value.
  struct Frame {
    ConfigNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Location key_at;
    std::map<std::string, int> seen;  // key → line, to find duplicates
  };

  bool Afford(const Location& at, std::size_t cost) {
    cost_ += cost;
    if (cost_ <= limits::kConfigTreeBytesMax) return true;
    Stop(at, "too many values in one document; an alias counts with all it stands for");
    return false;
  }

  void Open(ConfigNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (stopped_) return;
    if (frames_.size() >= static_cast<std::size_t>(limits::kConfigDepthMax)) {
      return Stop(At(mark),
                  absl::StrCat("nested more than ", limits::kConfigDepthMax, " levels deep"));
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.at = At(mark);
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void Close() {
    if (stopped_) return;
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Attach(std::move(frame.node), frame.anchor);
  }

  void Attach(ConfigNode node, YAML::anchor_t anchor) {
    if (stopped_ || !Afford(node.at, sizeof(ConfigNode) + node.scalar.size())) return;
    if (anchor != 0) {
      if (!Afford(node.at, Cost(node))) return;
      anchors_[anchor] = node;
    }
    if (frames_.empty()) {
      root_ = std::move(node);
    } else if (frames_.back().node.kind == ConfigNode::Kind::kList) {
      frames_.back().node.list.push_back(std::move(node));
    } else if (!frames_.back().has_key) {
      SetKey(std::move(node));
    } else {
      AddValue(&frames_.back(), std::move(node));
    }
  }

  void SetKey(ConfigNode node) {
    Frame& frame = frames_.back();
    frame.has_key = true;
    if (node.kind != ConfigNode::Kind::kScalar) {
      errors_->Add(node.at, absl::StrCat("a key is ", Found(node), ": expected a string"));
    }
    frame.key = std::move(node.scalar);
    frame.key_at = std::move(node.at);
  }

  // Of the key that waits in `frame`.
  void AddValue(Frame* frame, ConfigNode node) {
    frame->has_key = false;
    const auto [first, inserted] = frame->seen.emplace(frame->key, frame->key_at.line);
    if (!inserted) {
      errors_->Add(frame->key_at, absl::StrCat("duplicate key ", Quoted(frame->key),
                                               ": it was given before, at line ", first->second));
      return;
    }
    frame->node.map.emplace_back(std::move(frame->key), std::move(node));
    frame->node.key_locations.push_back(std::move(frame->key_at));
  }

  const std::string file_;
  ErrorList* const errors_;
  ConfigNode root_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, ConfigNode> anchors_;
  std::size_t cost_ = 0;
  int documents_ = 0;
  bool stopped_ = false;
};

// yaml-cpp's messages name its grammar; the hint names the usual mistake.
std::string SyntaxMessage(const std::string& raw) {
  const std::string message = Printable(raw, 100);  // it may quote the text
  struct Hint {
    const char* part;
    const char* hint;
  };
  static constexpr Hint kHints[] = {
      {"end of map not found", "the indentation does not fit the lines above"},
      {"end of sequence not found", "the indentation does not fit the list above"},
      {"end of map flow not found", "a '}' or ',' is missing"},
      {"end of sequence flow not found", "a ']' or ',' is missing"},
      {"illegal map value", "text that contains ': ' must be in quotes"},
      {"illegal EOF in scalar", "a closing quote is missing"},
      {"illegal tab", "indent with spaces"},
      {"illegal flow end", "there is no bracket to close"},
      {"illegal block entry", "a list starts on a line of its own"},
      {"unknown token", "text that starts with a special character must be in quotes"},
      {"unknown escape character", "use single quotes around regular expressions"},
  };
  for (const Hint& hint : kHints) {
    if (absl::StrContains(message, hint.part)) {
      return absl::StrCat("not valid YAML: ", message, " (", hint.hint, ")");
    }
  }
  return absl::StrCat("not valid YAML: ", message);
}

}  // namespace

ConfigNode ParseYaml(std::string_view text, const std::string& file, ErrorList* errors) {
  TreeBuilder builder(file, errors);
  if (text.size() > limits::kConfigBytesMax) {
    builder.Stop({file, 0, 0},
                 absl::StrCat("has more than ", limits::kConfigBytesMax >> 20, " MiB"));
    return builder.Take();
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    // On some texts ("," is one) yaml-cpp finds documents for ever without moving on; the builder
    // stops at the second. Its own guard on recursion throws long after the builder has stopped.
    while (!builder.stopped() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    builder.Stop(builder.At(error.mark), SyntaxMessage(error.msg));
  } catch (const std::exception& error) {
    builder.Stop({file, 0, 0}, absl::StrCat("cannot be parsed: ", error.what()));
  }
  return builder.Take();
}

}  // namespace tocsin
