
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "access_alerts": {
                  Row: {
                    "acknowledged_reason": string | null,"actor_id": string | null,"created_at": string,"created_by": string | null,"figures": Json | null,"grant_id": string | null,"id": string,"kind": string,"note_id": string | null,"organization_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null,"window_end": string | null,"window_start": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "acknowledged_reason"?: string | null,"actor_id"?: string | null,"created_at": string,"created_by"?: string | null,"figures"?: Json | null,"grant_id"?: string | null,"id"?: string,"kind": string,"note_id"?: string | null,"organization_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null,"window_end"?: string | null,"window_start"?: string | null
                  }
                  Update: {
                    "acknowledged_reason"?: string | null,"actor_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"figures"?: Json | null,"grant_id"?: string | null,"id"?: string,"kind"?: string,"note_id"?: string | null,"organization_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null,"window_end"?: string | null,"window_start"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "access_alerts_grant_fkey"
      columns: ["organization_id","grant_id"]
isOneToOne: false
      referencedRelation: "user_roles"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "access_alerts_note_fkey"
      columns: ["organization_id","note_id"]
isOneToOne: false
      referencedRelation: "session_notes"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "access_alerts_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"access_thresholds": {
                  Row: {
                    "clients_a_day": number,"closes_at": string,"created_at": string,"created_by": string | null,"denial_minutes": number,"denials": number,"deviations": number,"off_hours_reads": number,"open_weekdays": (number)[],"opens_at": string,"organization_id": string,"unassigned_clients": number,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "clients_a_day"?: number,"closes_at"?: string,"created_at": string,"created_by"?: string | null,"denial_minutes"?: number,"denials"?: number,"deviations"?: number,"off_hours_reads"?: number,"open_weekdays"?: (number)[],"opens_at"?: string,"organization_id": string,"unassigned_clients"?: number,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "clients_a_day"?: number,"closes_at"?: string,"created_at"?: string,"created_by"?: string | null,"denial_minutes"?: number,"denials"?: number,"deviations"?: number,"off_hours_reads"?: number,"open_weekdays"?: (number)[],"opens_at"?: string,"organization_id"?: string,"unassigned_clients"?: number,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "access_thresholds_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: true
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"active_organizations": {
                  Row: {
                    "created_at": string,"created_by": string | null,"organization_id": string,"updated_at": string,"updated_by": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"organization_id": string,"updated_at": string,"updated_by"?: string | null,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"organization_id"?: string,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "active_organizations_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"attendance_marks": {
                  Row: {
                    "accuracy_meters": number | null,"actual_time": string | null,"created_at": string,"created_by": string | null,"device_id": string | null,"event": string,"id": string,"latitude": number | null,"longitude": number | null,"method": string | null,"organization_id": string,"place": string | null,"reason": string | null,"session_id": string,"status": string
                  }
                  ComputedFields: never
                  Insert: {
                    "accuracy_meters"?: number | null,"actual_time"?: string | null,"created_at"?: string,"created_by"?: string | null,"device_id"?: string | null,"event": string,"id"?: string,"latitude"?: number | null,"longitude"?: number | null,"method"?: string | null,"organization_id": string,"place"?: string | null,"reason"?: string | null,"session_id": string,"status": string
                  }
                  Update: {
                    "accuracy_meters"?: number | null,"actual_time"?: string | null,"created_at"?: string,"created_by"?: string | null,"device_id"?: string | null,"event"?: string,"id"?: string,"latitude"?: number | null,"longitude"?: number | null,"method"?: string | null,"organization_id"?: string,"place"?: string | null,"reason"?: string | null,"session_id"?: string,"status"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "attendance_marks_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "session_attendance"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "attendance_marks_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "attendance_marks_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "unbilled_sessions"
      referencedColumns: ["organization_id","session_id"]
    }
                  ]
                },"authorization_codes": {
                  Row: {
                    "authorization_id": string,"client_id": string,"cpt_code": string,"during": unknown,"organization_id": string,"payer_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "authorization_id": string,"client_id": string,"cpt_code": string,"during": unknown,"organization_id": string,"payer_id": string
                  }
                  Update: {
                    "authorization_id"?: string,"client_id"?: string,"cpt_code"?: string,"during"?: unknown,"organization_id"?: string,"payer_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "authorization_codes_authorization_fkey"
      columns: ["organization_id","authorization_id","client_id","payer_id"]
isOneToOne: false
      referencedRelation: "authorizations"
      referencedColumns: ["organization_id","id","client_id","payer_id"]
    },{
      foreignKeyName: "authorization_codes_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "authorization_codes_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "authorization_codes_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"authorization_entries": {
                  Row: {
                    "authorization_id": string,"booking_id": string,"entered_at": string,"entered_by": string | null,"id": number,"month_start": string,"organization_id": string,"overridden_units": number,"reason": string | null,"state": string,"units": number,"week_start": string
                  }
                  ComputedFields: never
                  Insert: {
                    "authorization_id": string,"booking_id": string,"entered_at"?: string,"entered_by"?: string | null,"id"?: never,"month_start": string,"organization_id": string,"overridden_units": number,"reason"?: string | null,"state": string,"units": number,"week_start": string
                  }
                  Update: {
                    "authorization_id"?: string,"booking_id"?: string,"entered_at"?: string,"entered_by"?: string | null,"id"?: never,"month_start"?: string,"organization_id"?: string,"overridden_units"?: number,"reason"?: string | null,"state"?: string,"units"?: number,"week_start"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "authorization_entries_authorization_fkey"
      columns: ["organization_id","authorization_id"]
isOneToOne: false
      referencedRelation: "authorizations"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"authorization_periods": {
                  Row: {
                    "authorization_id": string,"cap_units": number | null,"organization_id": string,"period": string,"period_start": string,"taken_units": number
                  }
                  ComputedFields: never
                  Insert: {
                    "authorization_id": string,"cap_units"?: number | null,"organization_id": string,"period": string,"period_start": string,"taken_units"?: number
                  }
                  Update: {
                    "authorization_id"?: string,"cap_units"?: number | null,"organization_id"?: string,"period"?: string,"period_start"?: string,"taken_units"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "authorization_periods_authorization_fkey"
      columns: ["organization_id","authorization_id"]
isOneToOne: false
      referencedRelation: "authorizations"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"authorizations": {
                  Row: {
                    "authorization_number": string,"client_id": string,"cpt_codes": (string)[],"created_at": string,"created_by": string | null,"ends_on": string,"expiring_days": number,"id": string,"kind": string,"low_balance_percent": number,"monthly_units": number | null,"organization_id": string,"overridden_units": number,"payer_id": string,"reserved_units": number,"scheduled_units": number,"starts_on": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"units": number | null,"updated_at": string,"updated_by": string | null,"used_units": number,"weekly_units": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "authorization_number": string,"client_id": string,"cpt_codes": (string)[],"created_at": string,"created_by"?: string | null,"ends_on": string,"expiring_days"?: number,"id"?: string,"kind"?: string,"low_balance_percent"?: number,"monthly_units"?: number | null,"organization_id": string,"overridden_units"?: number,"payer_id": string,"reserved_units"?: number,"scheduled_units"?: number,"starts_on": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"units"?: number | null,"updated_at": string,"updated_by"?: string | null,"used_units"?: number,"weekly_units"?: number | null
                  }
                  Update: {
                    "authorization_number"?: string,"client_id"?: string,"cpt_codes"?: (string)[],"created_at"?: string,"created_by"?: string | null,"ends_on"?: string,"expiring_days"?: number,"id"?: string,"kind"?: string,"low_balance_percent"?: number,"monthly_units"?: number | null,"organization_id"?: string,"overridden_units"?: number,"payer_id"?: string,"reserved_units"?: number,"scheduled_units"?: number,"starts_on"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"units"?: number | null,"updated_at"?: string,"updated_by"?: string | null,"used_units"?: number,"weekly_units"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "authorizations_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "authorizations_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"availability_exceptions": {
                  Row: {
                    "beside_exception_id": string | null,"created_at": string,"created_by": string | null,"end_time": string,"id": string,"kind": string,"note": string | null,"organization_id": string,"start_time": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string | null,"time_zone": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "beside_exception_id"?: string | null,"created_at": string,"created_by"?: string | null,"end_time": string,"id"?: string,"kind": string,"note"?: string | null,"organization_id": string,"start_time": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "beside_exception_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"id"?: string,"kind"?: string,"note"?: string | null,"organization_id"?: string,"start_time"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "availability_exceptions_beside_fkey"
      columns: ["organization_id","beside_exception_id"]
isOneToOne: false
      referencedRelation: "availability_exceptions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "availability_exceptions_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "availability_exceptions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"billing_batches": {
                  Row: {
                    "control_number": number,"created_at": string,"created_by": string | null,"id": string,"organization_id": string,"receiver_code": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null,"usage": string
                  }
                  ComputedFields: never
                  Insert: {
                    "control_number": number,"created_at": string,"created_by"?: string | null,"id"?: string,"organization_id": string,"receiver_code": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null,"usage": string
                  }
                  Update: {
                    "control_number"?: number,"created_at"?: string,"created_by"?: string | null,"id"?: string,"organization_id"?: string,"receiver_code"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null,"usage"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "billing_batches_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"billing_cases": {
                  Row: {
                    "authorization_id": string | null,"batch_id": string | null,"claim_number": number,"client_id": string,"created_at": string,"created_by": string | null,"frequency": string,"id": string,"month": string,"organization_id": string,"payer_claim_number": string | null,"payer_id": string,"place_of_service": string,"replaces_case_id": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "authorization_id"?: string | null,"batch_id"?: string | null,"claim_number": number,"client_id": string,"created_at": string,"created_by"?: string | null,"frequency"?: string,"id"?: string,"month": string,"organization_id": string,"payer_claim_number"?: string | null,"payer_id": string,"place_of_service": string,"replaces_case_id"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "authorization_id"?: string | null,"batch_id"?: string | null,"claim_number"?: number,"client_id"?: string,"created_at"?: string,"created_by"?: string | null,"frequency"?: string,"id"?: string,"month"?: string,"organization_id"?: string,"payer_claim_number"?: string | null,"payer_id"?: string,"place_of_service"?: string,"replaces_case_id"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "billing_cases_authorization_fkey"
      columns: ["organization_id","authorization_id"]
isOneToOne: false
      referencedRelation: "authorizations"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_cases_batch_fkey"
      columns: ["organization_id","batch_id"]
isOneToOne: false
      referencedRelation: "billing_batches"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_cases_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_cases_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_cases_place_of_service_fkey"
      columns: ["place_of_service"]
isOneToOne: false
      referencedRelation: "places_of_service"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "billing_cases_replaces_fkey"
      columns: ["organization_id","replaces_case_id"]
isOneToOne: false
      referencedRelation: "billing_cases"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_cases_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"billing_lines": {
                  Row: {
                    "case_id": string,"charge_cents": number,"cpt_code": string,"created_at": string,"created_by": string | null,"id": string,"line_number": number,"modifiers": (string)[],"organization_id": string,"place_of_service": string,"service_date": string,"session_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"unit_cents": number,"units": number,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "case_id": string,"charge_cents"?: never,"cpt_code": string,"created_at": string,"created_by"?: string | null,"id"?: string,"line_number": number,"modifiers": (string)[],"organization_id": string,"place_of_service": string,"service_date": string,"session_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"unit_cents": number,"units": number,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "case_id"?: string,"charge_cents"?: never,"cpt_code"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"line_number"?: number,"modifiers"?: (string)[],"organization_id"?: string,"place_of_service"?: string,"service_date"?: string,"session_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"unit_cents"?: number,"units"?: number,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "billing_lines_case_fkey"
      columns: ["organization_id","case_id"]
isOneToOne: false
      referencedRelation: "billing_cases"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_lines_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "session_attendance"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "billing_lines_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "billing_lines_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "unbilled_sessions"
      referencedColumns: ["organization_id","session_id"]
    }
                  ]
                },"billing_profiles": {
                  Row: {
                    "contact_name": string,"contact_number": string,"created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"legal_name": string,"npi": string,"organization_id": string,"receiver_code": string,"receiver_name": string,"region": string,"requires_signature": boolean,"starts_on": string,"street": string,"submitter_code": string,"tax_id": string,"taxonomy_code": string,"town": string,"updated_at": string,"updated_by": string | null,"zip": string
                  }
                  ComputedFields: never
                  Insert: {
                    "contact_name": string,"contact_number": string,"created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"legal_name": string,"npi": string,"organization_id": string,"receiver_code": string,"receiver_name": string,"region": string,"requires_signature"?: boolean,"starts_on": string,"street": string,"submitter_code": string,"tax_id": string,"taxonomy_code": string,"town": string,"updated_at": string,"updated_by"?: string | null,"zip": string
                  }
                  Update: {
                    "contact_name"?: string,"contact_number"?: string,"created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"legal_name"?: string,"npi"?: string,"organization_id"?: string,"receiver_code"?: string,"receiver_name"?: string,"region"?: string,"requires_signature"?: boolean,"starts_on"?: string,"street"?: string,"submitter_code"?: string,"tax_id"?: string,"taxonomy_code"?: string,"town"?: string,"updated_at"?: string,"updated_by"?: string | null,"zip"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "billing_profiles_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"buffer_rules": {
                  Row: {
                    "created_at": string,"created_by": string | null,"id": string,"minutes_after": number,"minutes_before": number,"organization_id": string,"service_id": string | null,"therapist_id": string | null,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"id"?: string,"minutes_after"?: number,"minutes_before"?: number,"organization_id": string,"service_id"?: string | null,"therapist_id"?: string | null,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"id"?: string,"minutes_after"?: number,"minutes_before"?: number,"organization_id"?: string,"service_id"?: string | null,"therapist_id"?: string | null,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "buffer_rules_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "buffer_rules_service_fkey"
      columns: ["organization_id","service_id"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "buffer_rules_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"calendar_claims": {
                  Row: {
                    "claim_id": string,"during": unknown,"expires_at": string | null,"kind": string,"lane": number,"organization_id": string,"part": number,"slot_id": string,"subject_id": string,"subject_kind": string
                  }
                  ComputedFields: never
                  Insert: {
                    "claim_id": string,"during": unknown,"expires_at"?: string | null,"kind": string,"lane": number,"organization_id": string,"part"?: number,"slot_id": string,"subject_id": string,"subject_kind": string
                  }
                  Update: {
                    "claim_id"?: string,"during"?: unknown,"expires_at"?: string | null,"kind"?: string,"lane"?: number,"organization_id"?: string,"part"?: number,"slot_id"?: string,"subject_id"?: string,"subject_kind"?: string
                  }
                  Relationships: [
                    
                  ]
                },"cancellation_rules": {
                  Row: {
                    "created_at": string,"created_by": string | null,"id": string,"minimum_notice_hours": number,"organization_id": string,"role": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"id"?: string,"minimum_notice_hours": number,"organization_id": string,"role": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"id"?: string,"minimum_notice_hours"?: number,"organization_id"?: string,"role"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "cancellation_rules_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "cancellation_rules_role_fkey"
      columns: ["role"]
isOneToOne: false
      referencedRelation: "roles"
      referencedColumns: ["role"]
    }
                  ]
                },"care_team_assignments": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"organization_id": string,"starts_on": string,"team_role": string,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id": string,"starts_on": string,"team_role": string,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id"?: string,"starts_on"?: string,"team_role"?: string,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "care_team_assignments_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "care_team_assignments_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"client_coverages": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"member_id": string | null,"organization_id": string,"payer_id": string,"relationship_to_subscriber": string | null,"starts_on": string,"subscriber_date_of_birth": string | null,"subscriber_family_name": string | null,"subscriber_given_name": string | null,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"member_id"?: string | null,"organization_id": string,"payer_id": string,"relationship_to_subscriber"?: string | null,"starts_on": string,"subscriber_date_of_birth"?: string | null,"subscriber_family_name"?: string | null,"subscriber_given_name"?: string | null,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"member_id"?: string | null,"organization_id"?: string,"payer_id"?: string,"relationship_to_subscriber"?: string | null,"starts_on"?: string,"subscriber_date_of_birth"?: string | null,"subscriber_family_name"?: string | null,"subscriber_given_name"?: string | null,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_coverages_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "client_coverages_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"client_guardians": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"organization_id": string,"relationship": string,"starts_on": string,"updated_at": string,"updated_by": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id": string,"relationship": string,"starts_on": string,"updated_at": string,"updated_by"?: string | null,"user_id": string
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id"?: string,"relationship"?: string,"starts_on"?: string,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_guardians_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"client_keys": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"destroyed_at": string | null,"destroyed_by": string | null,"id": string,"master_key_id": string,"organization_id": string,"proposed_at": string | null,"proposed_by": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null,"wrapped_key": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"destroyed_at"?: string | null,"destroyed_by"?: string | null,"id": string,"master_key_id": string,"organization_id": string,"proposed_at"?: string | null,"proposed_by"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null,"wrapped_key"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"destroyed_at"?: string | null,"destroyed_by"?: string | null,"id"?: string,"master_key_id"?: string,"organization_id"?: string,"proposed_at"?: string | null,"proposed_by"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null,"wrapped_key"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_keys_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"client_preferred_hours": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"effective_from": string,"effective_until": string | null,"id": string,"local_end": string,"local_start": string,"organization_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null,"weekday": number
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"effective_from": string,"effective_until"?: string | null,"id"?: string,"local_end": string,"local_start": string,"organization_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"weekday": number
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"effective_from"?: string,"effective_until"?: string | null,"id"?: string,"local_end"?: string,"local_start"?: string,"organization_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"weekday"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "client_preferred_hours_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"clients": {
                  Row: {
                    "address_line": string | null,"city": string | null,"created_at": string,"created_by": string | null,"date_of_birth": string | null,"deleted_at": string | null,"diagnosis_codes": (string)[],"family_name": string | null,"full_name": string,"given_name": string | null,"id": string,"organization_id": string,"phone": string | null,"postal_code": string | null,"sex": string | null,"state": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "address_line"?: string | null,"city"?: string | null,"created_at": string,"created_by"?: string | null,"date_of_birth"?: string | null,"deleted_at"?: string | null,"diagnosis_codes"?: (string)[],"family_name"?: string | null,"full_name": string,"given_name"?: string | null,"id"?: string,"organization_id": string,"phone"?: string | null,"postal_code"?: string | null,"sex"?: string | null,"state"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "address_line"?: string | null,"city"?: string | null,"created_at"?: string,"created_by"?: string | null,"date_of_birth"?: string | null,"deleted_at"?: string | null,"diagnosis_codes"?: (string)[],"family_name"?: string | null,"full_name"?: string,"given_name"?: string | null,"id"?: string,"organization_id"?: string,"phone"?: string | null,"postal_code"?: string | null,"sex"?: string | null,"state"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "clients_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"consent_forms": {
                  Row: {
                    "body": string,"created_at": string,"created_by": string | null,"form_code": string,"id": string,"organization_id": string,"published_at": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"title": string,"updated_at": string,"updated_by": string | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "body": string,"created_at": string,"created_by"?: string | null,"form_code": string,"id"?: string,"organization_id": string,"published_at"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"title": string,"updated_at": string,"updated_by"?: string | null,"version": number
                  }
                  Update: {
                    "body"?: string,"created_at"?: string,"created_by"?: string | null,"form_code"?: string,"id"?: string,"organization_id"?: string,"published_at"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"title"?: string,"updated_at"?: string,"updated_by"?: string | null,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "consent_forms_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"consent_signatures": {
                  Row: {
                    "body_digest": string,"client_id": string,"form_code": string,"form_id": string,"id": string,"ip_address": unknown,"organization_id": string,"signed_at": string,"signed_by": string,"terminated_at": string | null,"terminated_by": string | null,"termination_reason": string | null,"typed_name": string,"user_agent": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "body_digest": string,"client_id": string,"form_code": string,"form_id": string,"id"?: string,"ip_address": unknown,"organization_id": string,"signed_at": string,"signed_by": string,"terminated_at"?: string | null,"terminated_by"?: string | null,"termination_reason"?: string | null,"typed_name": string,"user_agent"?: string | null
                  }
                  Update: {
                    "body_digest"?: string,"client_id"?: string,"form_code"?: string,"form_id"?: string,"id"?: string,"ip_address"?: unknown,"organization_id"?: string,"signed_at"?: string,"signed_by"?: string,"terminated_at"?: string | null,"terminated_by"?: string | null,"termination_reason"?: string | null,"typed_name"?: string,"user_agent"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "consent_signatures_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "consent_signatures_form_fkey"
      columns: ["organization_id","form_id","form_code"]
isOneToOne: false
      referencedRelation: "consent_forms"
      referencedColumns: ["organization_id","id","form_code"]
    }
                  ]
                },"cpt_codes": {
                  Row: {
                    "code": string,"description": string,"ends_on": string | null,"minimum_level": number,"starts_on": string
                  }
                  ComputedFields: never
                  Insert: {
                    "code": string,"description": string,"ends_on"?: string | null,"minimum_level"?: number,"starts_on"?: string
                  }
                  Update: {
                    "code"?: string,"description"?: string,"ends_on"?: string | null,"minimum_level"?: number,"starts_on"?: string
                  }
                  Relationships: [
                    
                  ]
                },"credentials": {
                  Row: {
                    "code": string,"description": string,"level": number,"modifier": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "code": string,"description": string,"level": number,"modifier"?: string | null
                  }
                  Update: {
                    "code"?: string,"description"?: string,"level"?: number,"modifier"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"documents": {
                  Row: {
                    "client_id": string,"content_type": string,"created_at": string,"created_by": string | null,"deleted_at": string | null,"deleted_by": string | null,"deletion_reason": string | null,"etag": string | null,"file_name": string,"id": string,"kind": string,"organization_id": string,"path": string,"size_bytes": number,"status": string,"status_changed_at": string,"status_changed_by": string | null,"stored_at": string | null,"title": string,"updated_at": string,"updated_by": string | null,"upload_expires_at": string,"visible_to_family": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"content_type": string,"created_at": string,"created_by"?: string | null,"deleted_at"?: string | null,"deleted_by"?: string | null,"deletion_reason"?: string | null,"etag"?: string | null,"file_name": string,"id"?: string,"kind": string,"organization_id": string,"path"?: never,"size_bytes": number,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"stored_at"?: string | null,"title": string,"updated_at": string,"updated_by"?: string | null,"upload_expires_at"?: string,"visible_to_family"?: boolean
                  }
                  Update: {
                    "client_id"?: string,"content_type"?: string,"created_at"?: string,"created_by"?: string | null,"deleted_at"?: string | null,"deleted_by"?: string | null,"deletion_reason"?: string | null,"etag"?: string | null,"file_name"?: string,"id"?: string,"kind"?: string,"organization_id"?: string,"path"?: never,"size_bytes"?: number,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"stored_at"?: string | null,"title"?: string,"updated_at"?: string,"updated_by"?: string | null,"upload_expires_at"?: string,"visible_to_family"?: boolean
                  }
                  Relationships: [
                    {
      foreignKeyName: "documents_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"idempotency_keys": {
                  Row: {
                    "created_at": string,"expires_at": string,"key": string,"operation": string,"organization_id": string,"request_hash": string,"response": NonNullable<Json>,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"expires_at"?: string,"key": string,"operation": string,"organization_id": string,"request_hash": string,"response": NonNullable<Json>,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"expires_at"?: string,"key"?: string,"operation"?: string,"organization_id"?: string,"request_hash"?: string,"response"?: NonNullable<Json>,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "idempotency_keys_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"mue_limits": {
                  Row: {
                    "cpt_code": string,"ends_on": string | null,"programme": string,"source": string,"starts_on": string,"units_per_day": number
                  }
                  ComputedFields: never
                  Insert: {
                    "cpt_code": string,"ends_on"?: string | null,"programme": string,"source": string,"starts_on": string,"units_per_day": number
                  }
                  Update: {
                    "cpt_code"?: string,"ends_on"?: string | null,"programme"?: string,"source"?: string,"starts_on"?: string,"units_per_day"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "mue_limits_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    }
                  ]
                },"organizations": {
                  Row: {
                    "calls_per_minute": number,"cancellation_notice_hours": number,"created_at": string,"created_by": string | null,"id": string,"name": string,"requires_mfa": boolean,"time_zone": string,"total_calls_per_minute": number,"updated_at": string,"updated_by": string | null,"waitlist_offer_minutes": number
                  }
                  ComputedFields: never
                  Insert: {
                    "calls_per_minute"?: number,"cancellation_notice_hours"?: number,"created_at": string,"created_by"?: string | null,"id"?: string,"name": string,"requires_mfa"?: boolean,"time_zone": string,"total_calls_per_minute"?: number,"updated_at": string,"updated_by"?: string | null,"waitlist_offer_minutes"?: number
                  }
                  Update: {
                    "calls_per_minute"?: number,"cancellation_notice_hours"?: number,"created_at"?: string,"created_by"?: string | null,"id"?: string,"name"?: string,"requires_mfa"?: boolean,"time_zone"?: string,"total_calls_per_minute"?: number,"updated_at"?: string,"updated_by"?: string | null,"waitlist_offer_minutes"?: number
                  }
                  Relationships: [
                    
                  ]
                },"payer_modifiers": {
                  Row: {
                    "cpt_code": string | null,"created_at": string,"created_by": string | null,"credential": string | null,"ends_on": string | null,"id": string,"modifiers": (string)[],"organization_id": string,"payer_id": string,"place_of_service": string | null,"starts_on": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "cpt_code"?: string | null,"created_at": string,"created_by"?: string | null,"credential"?: string | null,"ends_on"?: string | null,"id"?: string,"modifiers": (string)[],"organization_id": string,"payer_id": string,"place_of_service"?: string | null,"starts_on": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "cpt_code"?: string | null,"created_at"?: string,"created_by"?: string | null,"credential"?: string | null,"ends_on"?: string | null,"id"?: string,"modifiers"?: (string)[],"organization_id"?: string,"payer_id"?: string,"place_of_service"?: string | null,"starts_on"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "payer_modifiers_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "payer_modifiers_credential_fkey"
      columns: ["credential"]
isOneToOne: false
      referencedRelation: "credentials"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "payer_modifiers_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "payer_modifiers_place_of_service_fkey"
      columns: ["place_of_service"]
isOneToOne: false
      referencedRelation: "places_of_service"
      referencedColumns: ["code"]
    }
                  ]
                },"payer_rates": {
                  Row: {
                    "cpt_code": string,"created_at": string,"created_by": string | null,"credential": string | null,"ends_on": string | null,"id": string,"modifier": string | null,"organization_id": string,"payer_id": string,"starts_on": string,"unit_cents": number,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "cpt_code": string,"created_at": string,"created_by"?: string | null,"credential"?: string | null,"ends_on"?: string | null,"id"?: string,"modifier"?: string | null,"organization_id": string,"payer_id": string,"starts_on": string,"unit_cents": number,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "cpt_code"?: string,"created_at"?: string,"created_by"?: string | null,"credential"?: string | null,"ends_on"?: string | null,"id"?: string,"modifier"?: string | null,"organization_id"?: string,"payer_id"?: string,"starts_on"?: string,"unit_cents"?: number,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "payer_rates_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "payer_rates_credential_fkey"
      columns: ["credential"]
isOneToOne: false
      referencedRelation: "credentials"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "payer_rates_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"payer_rules": {
                  Row: {
                    "allows_concurrent_supervision": boolean,"cpt_code": string | null,"created_at": string,"created_by": string | null,"daily_unit_cap": number | null,"ends_on": string | null,"id": string,"organization_id": string,"payer_id": string,"pools_minutes": boolean,"requires_cosignature": boolean,"rounding": string,"starts_on": string,"telehealth_modifier": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "allows_concurrent_supervision"?: boolean,"cpt_code"?: string | null,"created_at": string,"created_by"?: string | null,"daily_unit_cap"?: number | null,"ends_on"?: string | null,"id"?: string,"organization_id": string,"payer_id": string,"pools_minutes"?: boolean,"requires_cosignature"?: boolean,"rounding"?: string,"starts_on": string,"telehealth_modifier"?: string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "allows_concurrent_supervision"?: boolean,"cpt_code"?: string | null,"created_at"?: string,"created_by"?: string | null,"daily_unit_cap"?: number | null,"ends_on"?: string | null,"id"?: string,"organization_id"?: string,"payer_id"?: string,"pools_minutes"?: boolean,"requires_cosignature"?: boolean,"rounding"?: string,"starts_on"?: string,"telehealth_modifier"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "payer_rules_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "payer_rules_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"payers": {
                  Row: {
                    "created_at": string,"created_by": string | null,"filing_indicator": string | null,"id": string,"name": string,"no_show_uses_units": boolean,"organization_id": string,"payer_code": string | null,"programme": string,"requires_authorization": boolean,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"filing_indicator"?: string | null,"id"?: string,"name": string,"no_show_uses_units"?: boolean,"organization_id": string,"payer_code"?: string | null,"programme"?: string,"requires_authorization"?: boolean,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"filing_indicator"?: string | null,"id"?: string,"name"?: string,"no_show_uses_units"?: boolean,"organization_id"?: string,"payer_code"?: string | null,"programme"?: string,"requires_authorization"?: boolean,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "payers_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"places_of_service": {
                  Row: {
                    "code": string,"description": string,"is_telehealth": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "code": string,"description": string,"is_telehealth"?: boolean
                  }
                  Update: {
                    "code"?: string,"description"?: string,"is_telehealth"?: boolean
                  }
                  Relationships: [
                    
                  ]
                },"referrals": {
                  Row: {
                    "client_id": string | null,"created_at": string,"created_by": string | null,"id": string,"organization_id": string,"reference": string,"service_account_id": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id"?: string | null,"created_at": string,"created_by"?: string | null,"id"?: string,"organization_id": string,"reference": string,"service_account_id"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"id"?: string,"organization_id"?: string,"reference"?: string,"service_account_id"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "referrals_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "referrals_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "referrals_service_account_fkey"
      columns: ["organization_id","service_account_id"]
isOneToOne: false
      referencedRelation: "service_accounts"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"role_permissions": {
                  Row: {
                    "permission": string,"role": string
                  }
                  ComputedFields: never
                  Insert: {
                    "permission": string,"role": string
                  }
                  Update: {
                    "permission"?: string,"role"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "role_permissions_role_fkey"
      columns: ["role"]
isOneToOne: false
      referencedRelation: "roles"
      referencedColumns: ["role"]
    }
                  ]
                },"roles": {
                  Row: {
                    "requires_mfa": boolean,"role": string,"summary": string
                  }
                  ComputedFields: never
                  Insert: {
                    "requires_mfa"?: boolean,"role": string,"summary": string
                  }
                  Update: {
                    "requires_mfa"?: boolean,"role"?: string,"summary"?: string
                  }
                  Relationships: [
                    
                  ]
                },"rooms": {
                  Row: {
                    "created_at": string,"created_by": string | null,"id": string,"name": string,"organization_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"id"?: string,"name": string,"organization_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"id"?: string,"name"?: string,"organization_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "rooms_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"service_account_tokens": {
                  Row: {
                    "created_at": string,"created_by": string | null,"expires_at": string,"id": string,"last_used_at": string | null,"organization_id": string,"prefix": string,"revoked_at": string | null,"service_account_id": string,"token_hash": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"expires_at": string,"id"?: string,"last_used_at"?: string | null,"organization_id": string,"prefix": string,"revoked_at"?: string | null,"service_account_id": string,"token_hash": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"expires_at"?: string,"id"?: string,"last_used_at"?: string | null,"organization_id"?: string,"prefix"?: string,"revoked_at"?: string | null,"service_account_id"?: string,"token_hash"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "service_account_tokens_service_account_fkey"
      columns: ["organization_id","service_account_id"]
isOneToOne: false
      referencedRelation: "service_accounts"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"service_accounts": {
                  Row: {
                    "created_at": string,"created_by": string | null,"disabled_at": string | null,"expires_at": string | null,"id": string,"name": string,"organization_id": string,"scopes": (string)[],"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"disabled_at"?: string | null,"expires_at"?: string | null,"id"?: string,"name": string,"organization_id": string,"scopes": (string)[],"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"disabled_at"?: string | null,"expires_at"?: string | null,"id"?: string,"name"?: string,"organization_id"?: string,"scopes"?: (string)[],"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "service_accounts_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"service_consents": {
                  Row: {
                    "created_at": string,"created_by": string | null,"ends_on": string | null,"form_code": string,"id": string,"organization_id": string,"service_id": string,"starts_on": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"form_code": string,"id"?: string,"organization_id": string,"service_id": string,"starts_on": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"form_code"?: string,"id"?: string,"organization_id"?: string,"service_id"?: string,"starts_on"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "service_consents_service_fkey"
      columns: ["organization_id","service_id"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"services": {
                  Row: {
                    "client_lane": number,"cpt_code": string,"created_at": string,"created_by": string | null,"credentials": (string)[] | null,"group_capacity": number,"id": string,"is_group": boolean,"is_team": boolean,"name": string,"organization_id": string,"service_code": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_lane"?: number,"cpt_code": string,"created_at": string,"created_by"?: string | null,"credentials"?: (string)[] | null,"group_capacity"?: number,"id"?: string,"is_group"?: boolean,"is_team"?: boolean,"name": string,"organization_id": string,"service_code": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_lane"?: number,"cpt_code"?: string,"created_at"?: string,"created_by"?: string | null,"credentials"?: (string)[] | null,"group_capacity"?: number,"id"?: string,"is_group"?: boolean,"is_team"?: boolean,"name"?: string,"organization_id"?: string,"service_code"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "services_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "services_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"session_charges": {
                  Row: {
                    "cpt_code": string,"created_at": string,"created_by": string | null,"credential": string,"id": string,"kind": string,"minutes": number,"modifiers": (string)[],"mue_limit": number | null,"mue_units": number | null,"organization_id": string,"overridden_at": string | null,"overridden_by": string | null,"override_reason": string | null,"payer_id": string | null,"place_of_service": string | null,"rounded_minutes": number,"service_date": string,"session_id": string,"therapist_id": string,"units": number,"updated_at": string,"updated_by": string | null,"warnings": (string)[]
                  }
                  ComputedFields: never
                  Insert: {
                    "cpt_code": string,"created_at": string,"created_by"?: string | null,"credential": string,"id"?: string,"kind": string,"minutes": number,"modifiers": (string)[],"mue_limit"?: number | null,"mue_units"?: number | null,"organization_id": string,"overridden_at"?: string | null,"overridden_by"?: string | null,"override_reason"?: string | null,"payer_id"?: string | null,"place_of_service"?: string | null,"rounded_minutes": number,"service_date": string,"session_id": string,"therapist_id": string,"units": number,"updated_at": string,"updated_by"?: string | null,"warnings": (string)[]
                  }
                  Update: {
                    "cpt_code"?: string,"created_at"?: string,"created_by"?: string | null,"credential"?: string,"id"?: string,"kind"?: string,"minutes"?: number,"modifiers"?: (string)[],"mue_limit"?: number | null,"mue_units"?: number | null,"organization_id"?: string,"overridden_at"?: string | null,"overridden_by"?: string | null,"override_reason"?: string | null,"payer_id"?: string | null,"place_of_service"?: string | null,"rounded_minutes"?: number,"service_date"?: string,"session_id"?: string,"therapist_id"?: string,"units"?: number,"updated_at"?: string,"updated_by"?: string | null,"warnings"?: (string)[]
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_charges_payer_fkey"
      columns: ["organization_id","payer_id"]
isOneToOne: false
      referencedRelation: "payers"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_charges_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "session_attendance"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_charges_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_charges_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "unbilled_sessions"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_charges_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"session_groups": {
                  Row: {
                    "capacity": number,"created_at": string,"created_by": string | null,"end_time": string,"id": string,"is_group": boolean,"members": number,"organization_id": string,"service_id": string,"start_time": string,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "capacity"?: number,"created_at": string,"created_by"?: string | null,"end_time": string,"id"?: string,"is_group"?: boolean,"members"?: number,"organization_id": string,"service_id": string,"start_time": string,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "capacity"?: number,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"id"?: string,"is_group"?: boolean,"members"?: number,"organization_id"?: string,"service_id"?: string,"start_time"?: string,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_groups_service_fkey"
      columns: ["organization_id","service_id","is_group"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","is_group"]
    },{
      foreignKeyName: "session_groups_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"session_holds": {
                  Row: {
                    "batch_key": string,"buffer_after_minutes": number,"buffer_before_minutes": number,"client_id": string,"client_lane": number,"created_at": string,"created_by": string | null,"end_time": string,"expires_at": string,"group_id": string | null,"id": string,"occurrence_start": string | null,"open_offer_to": string | null,"organization_id": string,"room_id": string | null,"series_id": string | null,"service_id": string,"session_id": string | null,"slot_id": string,"start_time": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"takes_every_lane": boolean,"team_id": string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null,"waitlist_entry_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "batch_key": string,"buffer_after_minutes": number,"buffer_before_minutes": number,"client_id": string,"client_lane": number,"created_at": string,"created_by"?: string | null,"end_time": string,"expires_at": string,"group_id"?: string | null,"id"?: string,"occurrence_start"?: string | null,"open_offer_to"?: never,"organization_id": string,"room_id"?: string | null,"series_id"?: string | null,"service_id": string,"session_id"?: string | null,"slot_id"?: never,"start_time": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"takes_every_lane": boolean,"team_id"?: string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"waitlist_entry_id"?: string | null
                  }
                  Update: {
                    "batch_key"?: string,"buffer_after_minutes"?: number,"buffer_before_minutes"?: number,"client_id"?: string,"client_lane"?: number,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"expires_at"?: string,"group_id"?: string | null,"id"?: string,"occurrence_start"?: string | null,"open_offer_to"?: never,"organization_id"?: string,"room_id"?: string | null,"series_id"?: string | null,"service_id"?: string,"session_id"?: string | null,"slot_id"?: never,"start_time"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"takes_every_lane"?: boolean,"team_id"?: string | null,"therapist_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"waitlist_entry_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_holds_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_group_fkey"
      columns: ["organization_id","group_id","therapist_id","service_id","start_time","end_time"]
isOneToOne: false
      referencedRelation: "session_groups"
      referencedColumns: ["organization_id","id","therapist_id","service_id","start_time","end_time"]
    },{
      foreignKeyName: "session_holds_room_fkey"
      columns: ["organization_id","room_id"]
isOneToOne: false
      referencedRelation: "rooms"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_series_fkey"
      columns: ["organization_id","series_id"]
isOneToOne: false
      referencedRelation: "session_series"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_service_fkey"
      columns: ["organization_id","service_id","client_lane"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","client_lane"]
    },{
      foreignKeyName: "session_holds_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "session_attendance"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_holds_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "unbilled_sessions"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_holds_team_fkey"
      columns: ["organization_id","team_id","client_id","service_id","start_time","end_time"]
isOneToOne: false
      referencedRelation: "session_teams"
      referencedColumns: ["organization_id","id","client_id","service_id","start_time","end_time"]
    },{
      foreignKeyName: "session_holds_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_waitlist_entry_fkey"
      columns: ["organization_id","waitlist_entry_id","client_id"]
isOneToOne: false
      referencedRelation: "waitlist_entries"
      referencedColumns: ["organization_id","id","client_id"]
    }
                  ]
                },"session_note_versions": {
                  Row: {
                    "ciphertext": string,"client_id": string,"created_at": string,"created_by": string | null,"id": string,"key_id": string,"note_id": string,"number": number,"organization_id": string,"text_digest": string
                  }
                  ComputedFields: never
                  Insert: {
                    "ciphertext": string,"client_id": string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"key_id": string,"note_id": string,"number": number,"organization_id": string,"text_digest": string
                  }
                  Update: {
                    "ciphertext"?: string,"client_id"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"key_id"?: string,"note_id"?: string,"number"?: number,"organization_id"?: string,"text_digest"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_note_versions_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_note_versions_key_fkey"
      columns: ["organization_id","key_id","client_id"]
isOneToOne: false
      referencedRelation: "client_keys"
      referencedColumns: ["organization_id","id","client_id"]
    },{
      foreignKeyName: "session_note_versions_note_fkey"
      columns: ["organization_id","note_id","client_id"]
isOneToOne: false
      referencedRelation: "session_notes"
      referencedColumns: ["organization_id","id","client_id"]
    }
                  ]
                },"session_notes": {
                  Row: {
                    "addends_note_id": string | null,"author_id": string,"client_id": string,"cosigned_at": string | null,"cosigned_by": string | null,"created_at": string,"created_by": string | null,"current_version": number,"id": string,"kind": string,"needs_cosignature": boolean,"organization_id": string,"released_at": string | null,"released_by": string | null,"session_id": string,"signed_at": string | null,"signed_by": string | null,"status": string,"status_changed_at": string,"status_changed_by": string | null,"text_digest": string | null,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "addends_note_id"?: string | null,"author_id": string,"client_id": string,"cosigned_at"?: string | null,"cosigned_by"?: string | null,"created_at": string,"created_by"?: string | null,"current_version"?: number,"id": string,"kind": string,"needs_cosignature": boolean,"organization_id": string,"released_at"?: string | null,"released_by"?: string | null,"session_id": string,"signed_at"?: string | null,"signed_by"?: string | null,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"text_digest"?: string | null,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "addends_note_id"?: string | null,"author_id"?: string,"client_id"?: string,"cosigned_at"?: string | null,"cosigned_by"?: string | null,"created_at"?: string,"created_by"?: string | null,"current_version"?: number,"id"?: string,"kind"?: string,"needs_cosignature"?: boolean,"organization_id"?: string,"released_at"?: string | null,"released_by"?: string | null,"session_id"?: string,"signed_at"?: string | null,"signed_by"?: string | null,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"text_digest"?: string | null,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_notes_addended_fkey"
      columns: ["organization_id","addends_note_id","client_id"]
isOneToOne: false
      referencedRelation: "session_notes"
      referencedColumns: ["organization_id","id","client_id"]
    },{
      foreignKeyName: "session_notes_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_notes_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "session_attendance"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_notes_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_notes_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "unbilled_sessions"
      referencedColumns: ["organization_id","session_id"]
    },{
      foreignKeyName: "session_notes_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"session_series": {
                  Row: {
                    "client_id": string | null,"continues_series_id": string | null,"created_at": string,"created_by": string | null,"duration_minutes": number,"exdates": (string)[],"id": string,"local_start": string,"organization_id": string,"rule": string | null,"service_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string | null,"time_zone": string,"updated_at": string,"updated_by": string | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id"?: string | null,"continues_series_id"?: string | null,"created_at": string,"created_by"?: string | null,"duration_minutes": number,"exdates"?: (string)[],"id"?: string,"local_start": string,"organization_id": string,"rule"?: string | null,"service_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"version"?: number
                  }
                  Update: {
                    "client_id"?: string | null,"continues_series_id"?: string | null,"created_at"?: string,"created_by"?: string | null,"duration_minutes"?: number,"exdates"?: (string)[],"id"?: string,"local_start"?: string,"organization_id"?: string,"rule"?: string | null,"service_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_series_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_series_continues_fkey"
      columns: ["organization_id","continues_series_id"]
isOneToOne: false
      referencedRelation: "session_series"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_series_service_fkey"
      columns: ["organization_id","service_id"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_series_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"session_teams": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"end_time": string,"id": string,"is_team": boolean,"organization_id": string,"service_id": string,"start_time": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"end_time": string,"id"?: string,"is_team"?: boolean,"organization_id": string,"service_id": string,"start_time": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"id"?: string,"is_team"?: boolean,"organization_id"?: string,"service_id"?: string,"start_time"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_teams_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_teams_service_fkey"
      columns: ["organization_id","service_id","is_team"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","is_team"]
    }
                  ]
                },"sessions": {
                  Row: {
                    "actual_end_time": string | null,"actual_start_time": string | null,"attendance": string | null,"buffer_after_minutes": number,"buffer_before_minutes": number,"cancellation_notice_minutes": number | null,"cancellation_reason": string | null,"cancelled_by": string | null,"claim_id": string,"client_id": string,"client_lane": number,"corrected_at": string | null,"created_at": string,"created_by": string | null,"end_time": string,"group_id": string | null,"id": string,"late_cancellation": boolean | null,"occurrence_start": string | null,"organization_id": string,"place_of_service": string | null,"room_id": string | null,"series_id": string | null,"service_id": string,"slot_id": string,"start_time": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"takes_every_lane": boolean,"team_id": string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "actual_end_time"?: string | null,"actual_start_time"?: string | null,"attendance"?: never,"buffer_after_minutes": number,"buffer_before_minutes": number,"cancellation_notice_minutes"?: number | null,"cancellation_reason"?: string | null,"cancelled_by"?: string | null,"claim_id": string,"client_id": string,"client_lane": number,"corrected_at"?: string | null,"created_at": string,"created_by"?: string | null,"end_time": string,"group_id"?: string | null,"id"?: string,"late_cancellation"?: boolean | null,"occurrence_start"?: string | null,"organization_id": string,"place_of_service"?: string | null,"room_id"?: string | null,"series_id"?: string | null,"service_id": string,"slot_id"?: never,"start_time": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"takes_every_lane": boolean,"team_id"?: string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"version"?: number
                  }
                  Update: {
                    "actual_end_time"?: string | null,"actual_start_time"?: string | null,"attendance"?: never,"buffer_after_minutes"?: number,"buffer_before_minutes"?: number,"cancellation_notice_minutes"?: number | null,"cancellation_reason"?: string | null,"cancelled_by"?: string | null,"claim_id"?: string,"client_id"?: string,"client_lane"?: number,"corrected_at"?: string | null,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"group_id"?: string | null,"id"?: string,"late_cancellation"?: boolean | null,"occurrence_start"?: string | null,"organization_id"?: string,"place_of_service"?: string | null,"room_id"?: string | null,"series_id"?: string | null,"service_id"?: string,"slot_id"?: never,"start_time"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"takes_every_lane"?: boolean,"team_id"?: string | null,"therapist_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "sessions_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_group_fkey"
      columns: ["organization_id","group_id","therapist_id","service_id","start_time","end_time"]
isOneToOne: false
      referencedRelation: "session_groups"
      referencedColumns: ["organization_id","id","therapist_id","service_id","start_time","end_time"]
    },{
      foreignKeyName: "sessions_room_fkey"
      columns: ["organization_id","room_id"]
isOneToOne: false
      referencedRelation: "rooms"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_series_fkey"
      columns: ["organization_id","series_id"]
isOneToOne: false
      referencedRelation: "session_series"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_service_fkey"
      columns: ["organization_id","service_id","client_lane"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","client_lane"]
    },{
      foreignKeyName: "sessions_team_fkey"
      columns: ["organization_id","team_id","client_id","service_id","start_time","end_time"]
isOneToOne: false
      referencedRelation: "session_teams"
      referencedColumns: ["organization_id","id","client_id","service_id","start_time","end_time"]
    },{
      foreignKeyName: "sessions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"supervisions": {
                  Row: {
                    "created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"organization_id": string,"starts_on": string,"supervisor_id": string,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id": string,"starts_on": string,"supervisor_id": string,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id"?: string,"starts_on"?: string,"supervisor_id"?: string,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "supervisions_supervisor_fkey"
      columns: ["organization_id","supervisor_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "supervisions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"therapist_availability": {
                  Row: {
                    "created_at": string,"created_by": string | null,"effective_from": string,"effective_until": string | null,"id": string,"local_end": string,"local_start": string,"organization_id": string,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null,"weekday": number
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"effective_from": string,"effective_until"?: string | null,"id"?: string,"local_end": string,"local_start": string,"organization_id": string,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"weekday": number
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"effective_from"?: string,"effective_until"?: string | null,"id"?: string,"local_end"?: string,"local_start"?: string,"organization_id"?: string,"therapist_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"weekday"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "therapist_availability_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"therapists": {
                  Row: {
                    "created_at": string,"created_by": string | null,"credential": string,"display_name": string,"id": string,"legal_family": string | null,"legal_given": string | null,"npi": string | null,"organization_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"taxonomy_code": string | null,"updated_at": string,"updated_by": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"credential": string,"display_name": string,"id"?: string,"legal_family"?: string | null,"legal_given"?: string | null,"npi"?: string | null,"organization_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"taxonomy_code"?: string | null,"updated_at": string,"updated_by"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"credential"?: string,"display_name"?: string,"id"?: string,"legal_family"?: string | null,"legal_given"?: string | null,"npi"?: string | null,"organization_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"taxonomy_code"?: string | null,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "therapists_credential_fkey"
      columns: ["credential"]
isOneToOne: false
      referencedRelation: "credentials"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "therapists_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"user_roles": {
                  Row: {
                    "created_at": string,"created_by": string | null,"expires_at": string | null,"granted_by": string | null,"id": string,"kind": string,"organization_id": string | null,"reason": string | null,"revoked_at": string | null,"role": string,"updated_at": string,"updated_by": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"expires_at"?: string | null,"granted_by"?: string | null,"id"?: string,"kind"?: string,"organization_id"?: string | null,"reason"?: string | null,"revoked_at"?: string | null,"role": string,"updated_at": string,"updated_by"?: string | null,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"expires_at"?: string | null,"granted_by"?: string | null,"id"?: string,"kind"?: string,"organization_id"?: string | null,"reason"?: string | null,"revoked_at"?: string | null,"role"?: string,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "user_roles_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "user_roles_role_fkey"
      columns: ["role"]
isOneToOne: false
      referencedRelation: "roles"
      referencedColumns: ["role"]
    }
                  ]
                },"waitlist_entries": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"duration_minutes": number,"id": string,"organization_id": string,"service_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string | null,"time_zone": string,"updated_at": string,"updated_by": string | null,"wanted_from": string,"wanted_until": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"duration_minutes": number,"id"?: string,"organization_id": string,"service_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"wanted_from": string,"wanted_until"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"duration_minutes"?: number,"id"?: string,"organization_id"?: string,"service_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string | null,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"wanted_from"?: string,"wanted_until"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "waitlist_entries_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "waitlist_entries_service_fkey"
      columns: ["organization_id","service_id"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "waitlist_entries_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"waitlist_times": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"entry_id": string,"id": string,"local_end": string,"local_start": string,"organization_id": string,"updated_at": string,"updated_by": string | null,"weekday": number
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"entry_id": string,"id"?: string,"local_end": string,"local_start": string,"organization_id": string,"updated_at": string,"updated_by"?: string | null,"weekday": number
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"entry_id"?: string,"id"?: string,"local_end"?: string,"local_start"?: string,"organization_id"?: string,"updated_at"?: string,"updated_by"?: string | null,"weekday"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "waitlist_times_entry_fkey"
      columns: ["organization_id","entry_id","client_id"]
isOneToOne: false
      referencedRelation: "waitlist_entries"
      referencedColumns: ["organization_id","id","client_id"]
    }
                  ]
                }
          }
          Views: {
            "denied_attempts": {
                  Row: {
                    "action": string | null,"actor_id": string | null,"code": string | null,"id": number | null,"occurred_at": string | null,"organization_id": string | null,"request_id": string | null,"table_name": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"family_clients": {
                  Row: {
                    "client_id": string | null,"organization_id": string | null,"status": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"family_sessions": {
                  Row: {
                    "client_id": string | null,"end_time": string | null,"service_name": string | null,"session_id": string | null,"start_time": string | null,"status": string | null,"therapist_name": string | null,"time_zone": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"referral_summaries": {
                  Row: {
                    "client_status": string | null,"next_session_at": string | null,"organization_id": string | null,"reference": string | null,"referral_id": string | null,"status": string | null,"upcoming_sessions": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"session_attendance": {
                  Row: {
                    "attendance": string | null,"cancellation_notice_minutes": number | null,"client_id": string,"delivered_minutes": number | null,"end_time": string,"late_cancellation": boolean | null,"marked_at": string,"organization_id": string,"planned_minutes": number | null,"service_id": string,"session_id": string,"start_time": string,"therapist_id": string
                  }
                  ComputedFields: never
                  Insert: {
                           "attendance"?: string | null,"cancellation_notice_minutes"?: number | null,"client_id"?: string | null,"delivered_minutes"?: never,"end_time"?: string | null,"late_cancellation"?: boolean | null,"marked_at"?: string | null,"organization_id"?: string | null,"planned_minutes"?: never,"service_id"?: string | null,"session_id"?: string | null,"start_time"?: string | null,"therapist_id"?: string | null
                         }
                        Update: {
                           "attendance"?: string | null,"cancellation_notice_minutes"?: number | null,"client_id"?: string | null,"delivered_minutes"?: never,"end_time"?: string | null,"late_cancellation"?: boolean | null,"marked_at"?: string | null,"organization_id"?: string | null,"planned_minutes"?: never,"service_id"?: string | null,"session_id"?: string | null,"start_time"?: string | null,"therapist_id"?: string | null
                         }
                        Relationships: [
                    {
      foreignKeyName: "sessions_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"unbilled_sessions": {
                  Row: {
                    "client_id": string,"cpt_code": string,"minutes": number,"modifiers": (string)[],"organization_id": string,"payer_id": string | null,"service_date": string,"session_id": string,"therapist_id": string,"units": number,"warnings": (string)[]
                  }
                  ComputedFields: never
                  Relationships: [
                    {
      foreignKeyName: "sessions_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                }
          }
          Functions: {
            "acknowledge_alert":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"add_exception":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"answer_offer":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"archive_client":
{ Args: { "client": string,"idempotency_key"?: string }; Returns: Json
                           },
"attach_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"break_glass":
{ Args: { "minutes"?: number,"organization": string,"reason": string }; Returns: Json
                           },
"cancel_exception":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"cancel_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"choose_organization":
{ Args: { "organization": string }; Returns: undefined
                           },
"claim_insights":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"claim_webhook_deliveries":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"client_access_report":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"close_authorization":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"complete_session":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"confirm_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"correct_attendance":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"cosign_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"create_billing_batch":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"create_calendar_feed":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"create_service_account":
{ Args: { "expires_at"?: string,"name": string,"organization": string,"scopes": (string)[] }; Returns: Json
                           },
"custom_access_token_hook":
{ Args: { "event": Json }; Returns: Json
                           },
"delete_document":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"destroy_client_key":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"evv_records":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"export_billing_batch":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"find_documents":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"find_notes_to_cosign":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"find_open_times":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"finish_document":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"health":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"hold_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"join_slot":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"join_waitlist":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"leave_waitlist":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"list_audit_events":
{ Args: { "before_id"?: number,"max_rows"?: number,"organization": string }; Returns: {
              "action": string,"actor_id": string,"code": string,"decision": string,"details": Json,"id": number,"occurred_at": string,"request_id": string,"row_id": string,"table_name": string
            }[]
                           },
"list_denied_attempts":
{ Args: { "before_id"?: number,"by_user"?: string,"max_rows"?: number,"organization": string,"since"?: string,"until"?: string }; Returns: {
              "action": string | null,
"actor_id": string | null,
"code": string | null,
"id": number | null,
"occurred_at": string | null,
"organization_id": string | null,
"request_id": string | null,
"table_name": string | null
            }[]
                          SetofOptions: {
        from: "*"
        to: "denied_attempts"
        isOneToOne: false
        isSetofReturn: true
      } },
"list_no_show_candidates":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"list_service_account_tokens":
{ Args: { "account": string }; Returns: {
              "created_at": string,"expires_at": string,"last_used_at": string,"prefix": string,"revoked_at": string
            }[]
                           },
"mark_no_show":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"metrics":
{ Args: Record<PropertyKey, never>; Returns: {
              "labels": Json,"name": string,"value": number
            }[]
                           },
"move_session":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"override_mue":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"partner_sync":
{ Args: { "idempotency_key"?: string,"request": Json,"token": string }; Returns: Json
                           },
"prepare_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"preview_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_access_alerts":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_attendance":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_authorization_alerts":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_authorization_units":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_authorizations":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_billing_batch":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_calendar":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_calendar_feeds":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_cancellations":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_clients":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_consents":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_document":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_insights":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_missing_notes":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_texts":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_unbilled_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_utilization":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_webhook_deliveries":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"read_webhook_endpoints":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"rebill_case":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"record_insights":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"record_webhook_attempt":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"release_summary":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"replay_webhook_deliveries":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"report_unreadable_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"request_document":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"revoke_calendar_feed":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"revoke_service_account":
{ Args: { "account": string }; Returns: Json
                           },
"rotate_service_account_token":
{ Args: { "account": string,"overlap_minutes"?: number }; Returns: Json
                           },
"rotate_webhook_secret":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"run_job":
{ Args: { "job": string }; Returns: Json
                           },
"save_authorization":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"save_client":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"save_coverage":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"save_insights":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"save_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"save_webhook_endpoint":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"set_availability":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"set_place_of_service":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"settle_case":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"sign_consent":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"sign_note":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"start_session":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"substitute_therapist":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"supervision_months":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"swap_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"terminate_consent":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"update_series":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"void_case":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           }
          }
          Enums: {
            [_ in never]: never
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            
          }
        }
} as const
