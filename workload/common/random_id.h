// Names nobody can guess: session ids are credentials, so chance comes from the kernel here.
#pragma once

#include <string>

namespace scalableapp::workload {

std::string random_id();  // 32 hexadecimal digits. Thread-safe.

}  // namespace scalableapp::workload
