-- "Feed" alone is the change feed: what a clinic's calendar program reads is the clinic's calendar.
alter table clinic_feeds rename to clinic_calendars;
alter index clinic_feeds_one_open rename to clinic_calendars_one_open;
alter index clinic_feeds_pkey rename to clinic_calendars_pkey;
