"""The virtual machine of appendix A: programs, engines, and what is invoked through them."""
