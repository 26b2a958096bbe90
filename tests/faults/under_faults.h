// A program that runs with calls failing as a file of rules says (faults.h).
//
//   process.Start(UnderFaults(library, folder + "/faults", {"tocsin", "run", …}), log);
//   SetFaults(folder + "/faults", "path=/tmp/x; write:ENOSPC");
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tocsin {

// The command that starts `command` that way; `rules_file` need not be there yet.
inline std::vector<std::string> UnderFaults(const std::string& library,
                                            const std::string& rules_file,
                                            const std::vector<std::string>& command) {
  std::vector<std::string> whole = {"/usr/bin/env", "LD_PRELOAD=" + library,
                                    "TOCSIN_FAULTS_FILE=" + rules_file,
                                    "ASAN_OPTIONS=verify_asan_link_order=0"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

// At once: the file is never there in part.
inline void SetFaults(const std::string& rules_file, const std::string& rules) {
  std::ofstream(rules_file + ".new") << rules;
  std::filesystem::rename(rules_file + ".new", rules_file);
}

}  // namespace tocsin
