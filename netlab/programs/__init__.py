"""The programs that a lab runs in its pods, such as the DNS server; ``netlab.lab.programs`` starts them."""
