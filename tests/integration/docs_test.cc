// README.md and docs/ work as written: the commands in their blocks are run in order, each document
// in a folder of its own with the files that it shows, and its configurations are checked.
//
// Blocks are told by what stands behind their fence: `sh` are commands, each of which must succeed;
// `console` are commands behind "$ " with what they print; `yaml` is a configuration or a part of
// one; others are output, or a file where the paragraph before ends with its name: (`app.jsonl`):.
// What a test machine lacks is marked in the line before, `<!-- not run: REASON -->`. A server in
// the foreground is one that the reader ends with Ctrl-C; those behind & are ended with the
// document.
//
// Where the kernel allows it, a document has a network of its own, so that its ports are free.

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Block {
  std::string info;
  std::vector<std::string> lines;
  int line = 0;         // of the first one in the document
  std::string before;   // the paragraph
  std::string not_run;  // why
};

std::string FileText(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<Block> BlocksOf(const fs::path& document) {
  static const std::string kMark = "<!-- not run: ";
  std::vector<Block> blocks;
  std::ifstream file(document);
  std::string paragraph, mark;
  bool inside = false, ended = true;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (absl::StartsWith(line, "```")) {
      inside = !inside;
      if (inside) {
        blocks.push_back({.info = line.substr(3),
                          .lines = {},
                          .line = number + 1,
                          .before = paragraph,
                          .not_run = mark});
      }
      paragraph.clear();
      mark.clear();
    } else if (inside) {
      blocks.back().lines.push_back(line);
    } else if (absl::StartsWith(line, kMark)) {
      mark = line.substr(kMark.size());
    } else if (line.empty()) {
      ended = true;
    } else {
      if (ended) paragraph.clear();
      ended = false;
      absl::StrAppend(&paragraph, line, "\n");
    }
  }
  EXPECT_FALSE(inside) << document << ": a block has no end";
  return blocks;
}

// The file that a block shows, "" for none.
std::string ShownName(const Block& block) {
  static const std::regex kName("`([A-Za-z0-9_.-]+\\.(yaml|jsonl|json|csv|mustache))`\\):\\s*$");
  std::smatch match;
  return std::regex_search(block.before, match, kName) ? match[1].str() : "";
}

// A document as a script that ends with an error at the first line that does not hold.
class Script {
 public:
  Script(const fs::path& document, const std::vector<Block>& blocks, const fs::path& folder)
      : folder_(folder) {
    absl::StrAppend(&text_, R"(set -u
document=)",
                    document.string(), R"(
servers=()
fail() { echo "$document:$line: $1" >&2; exit 1; }
# HTTP without a client: the status line and the body.
get() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && cat <&3; }
await() {  # PID COMMAND...
  local pid=$1 i
  shift
  for ((i = 0; i < 1200; ++i)); do
    ("$@") >/dev/null 2>&1 && return
    kill -0 "$pid" 2>/dev/null || fail "it has ended"
    sleep 0.05
  done
  fail "not there after a minute: $*"
}
answers() { get "$1" "$2" | grep -q "$3"; }
stop() {  # PID
  kill -TERM "$1"
  wait "$1" || fail "ended with status $?"
}
trap 'kill $(jobs -p) 2>/dev/null' EXIT
)");
    for (const Block& block : blocks) {
      for (const std::string& line : block.lines) {
        waits_for_incident_ |= absl::StartsWith(line, "tocsin incidents list");
      }
    }
  }

  void AddFile(const std::string& name, const Block& block) {
    std::ofstream(folder_ / name) << absl::StrJoin(block.lines, "\n") << "\n";
  }

  void AddCommands(const Block& block) {
    std::string command;
    int line = block.line;
    for (std::size_t i = 0; i < block.lines.size(); ++i) {
      if (command.empty()) line = block.line + static_cast<int>(i);
      absl::StrAppend(&command, block.lines[i], "\n");
      if (absl::EndsWith(block.lines[i], "\\")) continue;
      AddCommand(command, line);
      command.clear();
    }
    // Until then the reader looks at it.
    if (!foreground_.empty()) absl::StrAppend(&text_, foreground_);
    foreground_.clear();
  }

  // "$ command" and what it prints.
  void AddConsole(const Block& block) {
    for (std::size_t i = 0; i < block.lines.size();) {
      ASSERT_TRUE(absl::StartsWith(block.lines[i], "$ ")) << block.lines[i];
      const std::string command = block.lines[i].substr(2);
      absl::StrAppend(&text_, "line=", block.line + static_cast<int>(i), "\n");
      std::string expected;
      for (++i; i < block.lines.size() && !absl::StartsWith(block.lines[i], "$ "); ++i) {
        absl::StrAppend(&expected, block.lines[i], "\n");
      }
      const std::string name = absl::StrCat("expected-", ++outputs_);
      std::ofstream(folder_ / name) << expected;
      absl::StrAppend(&text_, command, " > actual || fail \"status $?\"\n", "diff -u ", name,
                      " actual || fail 'prints something else'\n");
    }
  }

  // All blocks but those that are marked were added.
  void CheckConfigs(const std::vector<std::pair<std::string, int>>& names) {
    for (const auto& [name, line] : names) {
      absl::StrAppend(&text_, "line=", line, "\ntocsin check ", name,
                      " > checked 2>&1 || { cat checked; fail 'the configuration is wrong'; }\n");
    }
  }

  std::string Take() {
    absl::StrAppend(&text_, "for server in \"${servers[@]}\"; do stop \"$server\"; done\n",
                    "trap - EXIT\n");
    return std::move(text_);
  }

 private:
  void AddCommand(const std::string& written, int line) {
    static const std::regex kComment("\\s+# .*\n$");
    std::string command =
        std::string(absl::StripAsciiWhitespace(std::regex_replace(written, kComment, "\n")));
    if (command.empty() || command[0] == '#') return;
    absl::StrAppend(&text_, "line=", line, "\n");
    const bool background = absl::EndsWith(command, "&");
    const bool runs = std::regex_search(command, std::regex("(^|/)tocsin run "));
    if (!background && !runs) {
      absl::StrAppend(&text_, command, " || fail \"status $?\"\n");
      return;
    }
    if (background) command.pop_back();
    absl::StrAppend(&text_, command, " &\nserver=$!\n");
    std::smatch port;
    if (std::regex_search(command, port, std::regex("--stand-in ([0-9]+)"))) {
      absl::StrAppend(&text_, "await \"$server\" get ", port[1].str(), " /\n");
    }
    if (runs) {
      absl::StrAppend(&text_, "await \"$server\" answers 9464 /readyz ^ready\n");
      if (waits_for_incident_) {
        absl::StrAppend(&text_, "await \"$server\" answers 9464 /api/v1/incidents INC-2026-001\n");
      }
    }
    if (background) {
      absl::StrAppend(&text_, "servers+=(\"$server\")\n");
    } else {
      foreground_ = "stop \"$server\"\n";
    }
  }

  const fs::path folder_;
  std::string text_;
  std::string foreground_;  // how it is ended
  bool waits_for_incident_ = false;
  int outputs_ = 0;
};

// What a part of a configuration refers to.
constexpr const char* kAround = R"(
sinks:
  - {name: oncall, kind: stdout}
  - {name: alerts, kind: stdout}
  - {name: cto-phone, kind: stdout}
  - {name: payments-chat, kind: stdout}
  - {name: night-shift, kind: stdout}
)";

// A part builds on what is around it, a whole on what it says.
std::string AsConfig(const Block& block) {
  const std::string text = absl::StrJoin(block.lines, "\n") + "\n";
  return absl::StartsWith(text, "extends:") ? text : "extends: around.yaml\n" + text;
}

// In a network where nobody else listens, if that may be.
void LeaveNetwork() {
  const uid_t uid = geteuid();
  if (uid == 0 ? unshare(CLONE_NEWNET) != 0 : unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return;
  if (uid != 0) std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  const int handle = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP;
  ioctl(handle, SIOCSIFFLAGS, &loopback);
  close(handle);
}

// Runs the script in the folder; what it printed is in the folder's file `log`.
int RunScript(const fs::path& folder) {
  const pid_t child = fork();
  if (child == 0) {
    LeaveNetwork();
    const std::string path = absl::StrCat((folder / "bin").string(), ":", std::getenv("PATH"));
    setenv("PATH", path.c_str(), 1);
    setenv("HOME", folder.c_str(), 1);
    setenv("USER", "ana", 1);
    unsetenv("http_proxy");
    if (chdir(folder.c_str()) != 0) _exit(125);
    std::freopen("log", "w", stdout);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    execlp("bash", "bash", "script", nullptr);
    _exit(126);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

fs::path Binary() {
  const char* binary = std::getenv("TOCSIN_BINARY");
  return binary == nullptr ? "build/dev/app/tocsin" : binary;
}

std::vector<std::string> Documents() {
  std::vector<std::string> documents = {"README.md"};
  for (const auto& entry : fs::directory_iterator("docs")) {
    if (entry.path().extension() == ".md") documents.push_back(entry.path().string());
  }
  std::sort(documents.begin() + 1, documents.end());
  return documents;
}

class Docs : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              absl::StrCat("tocsin-docs-", getpid(), "-", fs::path(GetParam()).stem().string());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "build/release");
    fs::create_directories(folder_ / "bin");
    const fs::path binary = fs::absolute(Binary());
    ASSERT_TRUE(fs::exists(binary)) << binary;
    fs::create_symlink(binary, folder_ / "build/release/tocsin");
    fs::create_symlink(binary, folder_ / "bin/tocsin");
    std::ofstream(folder_ / "around.yaml") << kAround;
  }
  void TearDown() override {
    if (!HasFailure()) fs::remove_all(folder_);
  }

  fs::path folder_;
};

TEST_P(Docs, WorkAsWritten) {
  const fs::path document = fs::absolute(GetParam());
  const std::vector<Block> blocks = BlocksOf(document);
  Script script(document, blocks, folder_);
  std::vector<std::pair<std::string, int>> configs;
  for (const Block& block : blocks) {
    SCOPED_TRACE(absl::StrCat(GetParam(), ":", block.line));
    const std::string name = ShownName(block);
    if (!block.not_run.empty()) continue;
    if (block.info == "sh") {
      script.AddCommands(block);
    } else if (block.info == "console") {
      script.AddConsole(block);
    } else if (!name.empty()) {
      script.AddFile(name, block);
      if (block.info == "yaml") configs.emplace_back(name, block.line);
    } else if (block.info == "yaml") {
      configs.emplace_back(absl::StrCat("block-", block.line, ".yaml"), block.line);
      std::ofstream(folder_ / configs.back().first) << AsConfig(block);
    } else if (!block.lines.empty()) {
      // Commands that nobody runs would rot.
      EXPECT_FALSE(
          std::regex_search(block.lines[0], std::regex("^(\\$ |tocsin |\\./dev|curl |build/)")))
          << "say ```sh or ```console";
    }
  }
  script.CheckConfigs(configs);
  std::ofstream(folder_ / "script") << script.Take();
  EXPECT_EQ(RunScript(folder_), 0) << FileText(folder_ / "log") << "\nin " << folder_;
}

INSTANTIATE_TEST_SUITE_P(All, Docs, ::testing::ValuesIn(Documents()),
                         [](const ::testing::TestParamInfo<std::string>& document) {
                           std::string name = fs::path(document.param).stem().string();
                           std::erase(name, '-');
                           return name;
                         });

// So that what cannot be run stays the exception.
TEST(DocsMarks, AreFew) {
  std::vector<std::string> reasons;
  for (const std::string& document : Documents()) {
    for (const Block& block : BlocksOf(document)) {
      if (!block.not_run.empty()) reasons.push_back(block.not_run);
    }
  }
  EXPECT_THAT(reasons, ::testing::Each(::testing::AnyOf("installs packages and builds -->",
                                                        "needs a running tocsin -->")));
  EXPECT_THAT(reasons, ::testing::SizeIs(::testing::Le(6)));
}

std::string OutputOf(const std::string& arguments, int code = 0) {
  const std::string command =
      absl::StrCat(fs::absolute(Binary()).string(), " ", arguments, " 2>&1");
  std::FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    output.append(buffer, size);
  }
  const int status = pclose(pipe);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, code) << command;
  return output;
}

// Each command, whose example is of one of its own commands where it has some.
void CheckHelp(const std::string& command, int* commands) {
  const std::string help = OutputOf(command + " --help");
  const bool is_part = command.find(' ') != std::string::npos;
  const bool names_itself =
      absl::StrContains(help, absl::StrCat("Example: tocsin", command.empty() ? "" : " ", command));
  EXPECT_TRUE(names_itself || (is_part && !absl::StrContains(help, "Example:"))) << help;
  ++*commands;
  const std::size_t list = help.find("Subcommands:\n");
  if (list == std::string::npos) return;
  std::istringstream lines(help.substr(list + std::strlen("Subcommands:\n")));
  for (std::string line; std::getline(lines, line) && absl::StartsWith(line, "  ");) {
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    if (!name.empty()) CheckHelp(absl::StrCat(command, command.empty() ? "" : " ", name), commands);
  }
}

TEST(Help, ACommandThatThereIsNotIsNamed) {
  EXPECT_EQ(OutputOf("chekc a.yaml", 2),
            "tocsin: there is no command 'chekc': did you mean 'check'?\n");
  EXPECT_EQ(OutputOf("incidents frobnicate", 2),
            "tocsin incidents: there is no command 'frobnicate'; see tocsin incidents --help\n");
}

TEST(Help, OfEachCommandHasAnExample) {
  int commands = 0;
  CheckHelp("", &commands);
  EXPECT_GE(commands, 20);
}

}  // namespace
}  // namespace tocsin
