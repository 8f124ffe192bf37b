#include "base/module.h"

#include <dlfcn.h>

namespace crescendo {

void* module_function(const char* module, const char* function, std::string& why) {
  void* const library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
  void* const address = library == nullptr ? nullptr : dlsym(library, function);
  if (address == nullptr) why = dlerror();
  return address;
}

}  // namespace crescendo
