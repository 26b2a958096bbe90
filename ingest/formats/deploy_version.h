// The version of a deployment from a Git repository.
//
//   reader_.Set(Field::kVersion, DeployedVersion("v1.2.0", "d34fb98c"));    // "v1.2.0"
//   reader_.Set(Field::kVersion, DeployedVersion("main", "d34fb98c"));      // "d34fb98c"
//
// A tag that looks like a version is the version. A branch has the same name at every deploy, which
// would make all deploys one version; its version is the commit, if known.
#pragma once

#include <string_view>

namespace tocsin {

inline std::string_view DeployedVersion(std::string_view ref, std::string_view commit) {
  std::string_view digits = ref;
  if (digits.starts_with('v')) digits.remove_prefix(1);
  const bool is_version = !digits.empty() && digits[0] >= '0' && digits[0] <= '9' &&
                          digits.find('.') != digits.npos && digits.find('/') == digits.npos;
  return is_version || commit.empty() ? ref : commit;
}

}  // namespace tocsin
