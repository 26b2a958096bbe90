// Runs every file of the folders (or every file) named on the command line through the fuzz target,
// in order of name, for compilers without libFuzzer. No input at all is a failure: a corpus that
// was moved away must not pass. The name is printed before the run, so a crash shows which file it
// was.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

bool ListInputs(const fs::path& path, std::vector<fs::path>& inputs) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    inputs.push_back(path);
    return true;
  }
  const std::size_t before = inputs.size();
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file()) inputs.push_back(it->path());
  }
  if (error || inputs.size() == before) {
    std::fprintf(stderr, "%s: no inputs\n", path.c_str());
    return false;
  }
  std::sort(inputs.begin() + static_cast<std::ptrdiff_t>(before), inputs.end());
  return true;
}

bool Replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    return false;
  }
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  // A heap copy of the exact size: AddressSanitizer sees a read one byte past the end.
  const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  LLVMFuzzerTestOneInput(copy.get(), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!ListInputs(argv[i], inputs)) return 1;
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "usage: %s CORPUS...\n", argv[0]);
    return 1;
  }
  for (const fs::path& input : inputs) {
    if (!Replay(input)) return 1;
  }
  std::printf("%zu inputs replayed\n", inputs.size());
  return 0;
}
