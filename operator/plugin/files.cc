#include "operator/plugin/files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace scalableapp::plugin {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

tl::unexpected<Error> failed(const char* what, const std::string& path) {
  return fail(ErrorCode::kInvalid,
              fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const std::string name = path == "-" ? "/dev/stdin" : path;
  File file(std::fopen(name.c_str(), "rb"), std::fclose);
  if (!file) return failed("read", path);
  std::string bytes;
  char buffer[65536];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) {
    bytes.append(buffer, count);
  }
  if (std::ferror(file.get()) != 0) return failed("read", path);
  return bytes;
}

Result<void> write_file(const std::string& path, std::string_view bytes) {
  File file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (!file) return failed("write", path);
  const bool is_written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  if (std::fclose(file.release()) != 0 || !is_written) return failed("write", path);
  return {};
}

}  // namespace scalableapp::plugin
