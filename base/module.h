// Loads modules: parts of the program in shared libraries of their own. They need large libraries, which
// would slow down every start of the program, or prevent it where they are missing.
#pragma once

#include <string>

namespace crescendo {

// Returns the address of `function` in the file `module`, which is beside the program or in the
// installation's folder for modules. Returns null if the file or its libraries do not load, and sets `why` to
// the system's message. A module stays loaded.
void* module_function(const char* module, const char* function, std::string& why);

}  // namespace crescendo
