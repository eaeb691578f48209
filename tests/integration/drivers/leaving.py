"""Inside core's image, on SQLite: a member whose preferences another process has deleted."""

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.usermanager import IUserManager
from sqlalchemy import text
from zope.component import getUtility

from mailman_stack.render import render
from mailman_stack.settings import load

if __name__ == "__main__":
    list(render("core", load("core")))
    initialize("/etc/mailman3/mailman.cfg")
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        mlist = create_list("ant@lists.example.com")
        mlist.subscribe(getUtility(IUserManager).create_address("anne@example.com"))
    config.db.store.execute(text("DELETE FROM preferences"))
    config.db.store.expire_all()
    for member in mlist.members.members:
        print(member.address.email, member.delivery_mode.name, member.delivery_status.name)
